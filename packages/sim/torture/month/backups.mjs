import { existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Engine } from "@kaya/engine";
import { NodeDisk } from "@kaya/io";
import { readManifest } from "@kaya/lsm";
import { checkContents, contentsOf } from "../../dist/explorer/engine-write.js";
import { mustEqual } from "../real/ledger.mjs";
import { checkNames, filesBelow } from "./directory.mjs";

/** The backups of a life: told or not, what is there must be the state after the record that its manifest says. */
export class Backups {
  #dir;
  /** By directory. @type {Map<string, { lsn: number, contents?: ReadonlyMap<string, string> }>} */
  #found = new Map();

  /** @param {string} dir */
  constructor(dir) {
    this.#dir = dir;
  }

  /**
   * A life is over: its backups are compared once it is known which of its writes are in the log.
   * @param {readonly import("../real/writer-process.mjs").Note[]} notes
   * @param {import("../real/ledger.mjs").Ledger} ledger
   * @throws Error where one is missing that was told, or there that was broken off
   */
  async collect(notes, ledger) {
    for (const { name, dir } of notes.filter((note) => note.name === "broken off")) {
      if ((await lsnOf(dir)) !== undefined) throw new Error(`a backup was ${name}, and ${dir} can be opened`);
    }
    for (const { dir, lsn } of notes.filter(({ name }) => name === "backup")) {
      mustEqual(await lsnOf(dir), lsn, `the LSN of the backup ${dir}`);
    }
    for (const dir of existsSync(this.#dir) ? readdirSync(this.#dir) : []) {
      await this.#collectOne(join(this.#dir, dir), ledger);
    }
  }

  /**
   * @param {string} dir
   * @param {import("../real/ledger.mjs").Ledger} ledger
   */
  async #collectOne(dir, ledger) {
    const lsn = await lsnOf(dir);
    if (lsn === undefined) return rm(dir, { recursive: true });
    const found = { lsn };
    this.#found.set(dir, found);
    ledger.lookAt(lsn, (contents) => Object.assign(found, { contents: new Map(contents) }));
  }

  /**
   * Opens each, compares it, and takes it away.
   * @returns how many they were
   * @throws Error where one is not what it says
   */
  async verify() {
    const { size } = this.#found;
    for (const [dir, { lsn, contents }] of this.#found) {
      if (contents === undefined)
        throw new Error(`the backup ${dir} ends at LSN ${lsn}, where no life has been`);
      await compare(dir, lsn, contents);
      checkNames(filesBelow(dir));
      await rm(dir, { recursive: true });
    }
    this.#found.clear();
    return size;
  }
}

/**
 * @param {string} dir
 * @param {number} lsn
 * @param {ReadonlyMap<string, string>} contents
 */
async function compare(dir, lsn, contents) {
  const engine = await Engine.open({ dataDir: dir });
  try {
    mustEqual(engine.stats().lastLsn, lsn, `the last LSN of the backup ${dir}`);
    checkContents(await contentsOf(engine), contents, `in the backup ${dir}`);
  } finally {
    await engine.close();
  }
}

/**
 * What the manifest that makes it a backup covers; undefined where there is none.
 * @param {string} dir
 */
async function lsnOf(dir) {
  const disk = new NodeDisk(dir);
  try {
    const { number, state } = await readManifest(disk);
    return number === 0 ? undefined : state.covered.lsn;
  } finally {
    await disk.close();
  }
}
