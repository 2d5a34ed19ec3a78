import { cp } from "node:fs/promises";
import { entryKey } from "../data.js";
import type { Scale } from "../scale.js";
import type { System } from "../system.js";
import type { Fixture, Workload } from "../workload.js";
import { filledStore } from "./filled-store.js";
import { expectHit } from "./gets.js";
import { sizeName } from "./growth.js";
import { closedStore, killedStore, tailOf } from "./stores-on-disk.js";

type SizeOf = (scale: Scale) => number | undefined;

const sizeHere: SizeOf = ({ entries }) => entries;
const sizeLarge: SizeOf = ({ largeOpening }) => largeOpening;

/** From a closed store to the first value out of it. The files are in the system's cache. */
export const reopening = reopenings("reopening", sizeHere, filledStore);
/** The same with nothing in the system's cache. */
export const coldReopening: Workload = {
  ...reopenings("cold-reopening", sizeHere, filledStore, ", with a cold cache of files"),
  readsCold: true,
};
/** From the files that a killed process left. */
export const afterAKill = killedReopenings("after-a-kill", sizeHere);
/** The same two with more entries. */
export const reopeningLarge = reopenings(
  "reopening-large",
  sizeLarge,
  closedStore("large-store", (scale) => sizeLarge(scale) ?? 0),
);
export const afterAKillLarge = killedReopenings("after-a-kill-large", sizeLarge);

function reopenings(name: string, sizeOf: SizeOf, fixture: Fixture, how = ""): Workload {
  const row = `${name}/first-get`;
  return {
    ...openingOf(name, sizeOf, (size) => `open ${sizeName(size)} entries${how}, and get one`),
    fixture,
    async run({ system, fixtureDir, report }) {
      await warmUp(system, fixtureDir);
      report(row, await openAndGet(system, fixtureDir, 0));
    },
  };
}

function killedReopenings(name: string, sizeOf: SizeOf): Workload {
  const row = `${name}/first-get`;
  const titleOf = (size: number) =>
    `open ${sizeName(size)} entries after a kill, ${sizeName(tailOf(size))} of them since the last close`;
  return {
    ...openingOf(name, sizeOf, titleOf),
    fixture: killedStore(`${name}-store`, (scale) => sizeOf(scale) ?? 0),
    async run({ system, scale, dir, fixtureDir, report }) {
      await warmUp(system, fixtureDir);
      // An opening repairs the files: each round has its own.
      await cp(fixtureDir, dir, { recursive: true });
      const size = sizeOf(scale) ?? 0;
      report(row, await openAndGet(system, dir, size + tailOf(size) - 1));
    },
  };
}

function openingOf(name: string, sizeOf: SizeOf, titleOf: (size: number) => string) {
  return {
    name,
    rows: (scale: Scale) => {
      const size = sizeOf(scale);
      if (size === undefined) return [];
      return [{ id: `${name}/first-get`, title: titleOf(size), unit: "ms", better: "lower" as const }];
    },
    runsOn: (system: System) => system.kind !== "raw" && system.onDisk,
  };
}

/** Times the store, not the loading of its module. */
async function warmUp(system: System, fixtureDir: string): Promise<void> {
  await (await system.open(`${fixtureDir}-warm-up`, "relaxed")).close();
}

async function openAndGet(system: System, dir: string, index: number): Promise<number> {
  const started = performance.now();
  const store = await system.open(dir, "relaxed");
  expectHit(await store.get?.(entryKey(index)));
  const ms = performance.now() - started;
  await store.close();
  return ms;
}
