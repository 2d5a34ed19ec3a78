import { stat } from "node:fs/promises";
import { join } from "node:path";
import { KayaError } from "@kaya/core";
import { invalid } from "../bytes.js";
import type { ImportEntry, ImportSource } from "./import-source.js";
import { loadInstalled } from "./installed.js";

/** What of the package `classic-level` is used. */
interface ClassicLevelModule {
  readonly ClassicLevel: new (location: string, options: object) => ClassicLevel;
}

interface ClassicLevel {
  open(): Promise<void>;
  close(): Promise<void>;
  iterator(): {
    nextv(size: number): Promise<[key: Uint8Array, value: Uint8Array][]>;
    close(): Promise<void>;
  };
}

const PAGE_ENTRIES = 1000;
const BYTES = { keyEncoding: "view", valueEncoding: "view" };

/**
 * The entries of a LevelDB directory, byte for byte, whatever encodings its programs used. Sublevels come along: their names are in the keys.
 * LevelDB's own opening writes to the directory: it replays its log.
 * @throws KayaError KAYA_NOT_FOUND, KAYA_INVALID_ARGUMENT, KAYA_LOCK_CONFLICT, KAYA_IO
 */
export async function openLevel(dir: string): Promise<ImportSource> {
  const { ClassicLevel } = loadInstalled<ClassicLevelModule>("classic-level", "--from-level");
  // LevelDB leaves files of its own in a directory that is none of its.
  const current = await stat(join(dir, "CURRENT")).catch(() => undefined);
  if (current === undefined)
    throw new KayaError(
      "KAYA_NOT_FOUND",
      `${dir} is no LevelDB directory: ${join(dir, "CURRENT")} is not there`,
    );
  const db = new ClassicLevel(dir, { ...BYTES, createIfMissing: false });
  await db.open().catch((error: unknown) => {
    throw openError(dir, error);
  });
  return {
    name: dir,
    unit: "entry",
    readBytes: 0,
    notes: [],
    pages: () => pagesOf(db, dir),
    close: () => db.close(),
  };
}

async function* pagesOf(db: ClassicLevel, dir: string): AsyncGenerator<readonly ImportEntry[], void> {
  const iterator = db.iterator();
  let place = 0;
  try {
    for (;;) {
      const entries = await iterator.nextv(PAGE_ENTRIES).catch((error: unknown) => {
        throw new KayaError("KAYA_IO", `cannot read ${dir} behind entry ${place}: ${reasonOf(error)}`, {
          cause: error,
        });
      });
      if (entries.length === 0) return;
      yield entries.map(([key, value]) => ({ key, value, place: ++place }));
    }
  } finally {
    await iterator.close();
  }
}

function openError(dir: string, error: unknown): KayaError {
  const { cause } = error as { cause?: { code?: string } };
  if (cause?.code === "LEVEL_LOCKED")
    return new KayaError("KAYA_LOCK_CONFLICT", `a process has ${dir} open: end it, and import again`, {
      cause: error,
    });
  if (cause?.code === "LEVEL_CORRUPTION") return invalid(`LevelDB finds ${dir} damaged: ${reasonOf(error)}`);
  return new KayaError("KAYA_IO", `LevelDB cannot open ${dir}: ${reasonOf(error)}`, { cause: error });
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { message?: string }; message?: string };
  return cause?.message ?? message ?? String(error);
}
