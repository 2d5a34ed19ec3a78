import type { Disk, Random, SimDisk } from "@kaya/io";
import { compareBytes } from "../../src/bytes.js";
import { type EntryCursor, EXPIRING, PUT, type RangeTombstone, TOMBSTONE } from "../../src/entry.js";
import { LsmTree } from "../../src/tree/lsm-tree.js";
import type { LsmOptions } from "../../src/tree/options.js";
import type { FlushEntry } from "../../src/tree/write-flush.js";
import { bytes, text } from "./keys.js";

/** Tiny tables, so that a few hundred entries make levels. */
export const TINY: LsmOptions = {
  tableBytes: 3000,
  baseLevelBytes: 8000,
  levelRatio: 3,
  level0Tables: 2,
  level0Stop: 6,
  blockBytes: 512,
  cacheBytes: 64 * 1024,
  manifestBytes: 4096,
  quietMs: 0,
};

/** The same seeds each time, for disks whose runs are to be repeated. */
export function seeds(): () => Uint8Array {
  let n = 0;
  return () => {
    const seed = new Uint8Array(16);
    new DataView(seed.buffer).setUint32(0, ++n);
    return seed;
  };
}

export interface ModelEntry {
  readonly sequence: number;
  readonly value: string;
  /** Where it expires. */
  readonly expiresAt?: number;
}

export type Contents = ReadonlyMap<string, ModelEntry>;

/** What a memtable would hold: writes since the last flush, and the contents that they lead to. */
export class ModelWrites {
  readonly #entries = new Map<string, FlushEntry>();
  readonly #tombstones: RangeTombstone[] = [];
  #contents: Map<string, ModelEntry>;
  #sequence: number;

  constructor(contents: Contents, sequence: number) {
    this.#contents = new Map(contents);
    this.#sequence = sequence;
  }

  get contents(): Contents {
    return this.#contents;
  }

  get covered() {
    return { lsn: this.#sequence, sequence: this.#sequence };
  }

  put(key: string, value: string, expiresAt?: number): void {
    const sequence = ++this.#sequence;
    const until = expiresAt === undefined ? {} : { expiresAt };
    const kind = expiresAt === undefined ? PUT : EXPIRING;
    this.#entries.set(key, { key: bytes(key), kind, sequence, value: bytes(value), ...until });
    this.#contents.set(key, { sequence, value, ...until });
  }

  delete(key: string): void {
    const sequence = ++this.#sequence;
    this.#entries.set(key, { key: bytes(key), kind: TOMBSTONE, sequence, value: new Uint8Array(0) });
    this.#contents.delete(key);
  }

  deleteRange(start: string, end: string | undefined): void {
    if (end !== undefined && end <= start) return;
    const sequence = ++this.#sequence;
    this.#tombstones.push({ start: bytes(start), end: end === undefined ? undefined : bytes(end), sequence });
    for (const key of [...this.#contents.keys()]) {
      if (key >= start && (end === undefined || key < end)) this.#contents.delete(key);
    }
  }

  /** As a flush takes it. */
  source() {
    const entries = [...this.#entries.values()].sort((a, b) => compareBytes(a.key, b.key));
    return { entries, rangeTombstones: this.#tombstones };
  }
}

/** @param now where it is given, two puts in three expire: some have already, most do soon */
export function randomWrites(
  random: Random,
  writes: ModelWrites,
  count: number,
  keys: number,
  now?: number,
): void {
  const time = () => {
    if (now === undefined || random.below(3) === 0) return undefined;
    return Math.max(1, now - 10 + random.below(random.below(4) === 0 ? 1000 : 60));
  };
  const key = () => `key${String(random.below(keys)).padStart(5, "0")}`;
  for (let n = 0; n < count; n++) {
    const what = random.below(40);
    if (what < 28) writes.put(key(), "v".repeat(random.below(60)) + random.below(1000), time());
    else if (what < 38) writes.delete(key());
    else if (what === 38) writes.deleteRange(key(), key());
    else if (random.below(6) === 0) writes.deleteRange(key(), undefined);
  }
}

/** Everything that a cursor shows, forward; its sequences too. */
export async function contentsOf(cursor: EntryCursor): Promise<Map<string, ModelEntry>> {
  const contents = new Map<string, ModelEntry>();
  try {
    for (let more = await cursor.seekFirst(); more; more = await cursor.next())
      contents.set(text(cursor.key), {
        sequence: cursor.sequence,
        value: text(cursor.value),
        ...(cursor.kind === EXPIRING && { expiresAt: cursor.expiresAt }),
      });
    return contents;
  } finally {
    cursor.close();
  }
}

/** The same of a cursor that reads synchronously. A promise ends it, and something is missing then. */
export function contentsOfSync(cursor: EntryCursor): Map<string, ModelEntry> {
  const contents = new Map<string, ModelEntry>();
  try {
    for (let more = cursor.seekFirst(); more === true; more = cursor.next())
      contents.set(text(cursor.key), {
        sequence: cursor.sequence,
        value: text(cursor.value),
        ...(cursor.kind === EXPIRING && { expiresAt: cursor.expiresAt }),
      });
    return contents;
  } finally {
    cursor.close();
  }
}

/** The keys that a cursor shows, backward. */
export async function keysBackward(cursor: EntryCursor): Promise<string[]> {
  const keys: string[] = [];
  try {
    for (let more = await cursor.seekLast(); more; more = await cursor.previous())
      keys.push(text(cursor.key));
    return keys;
  } finally {
    cursor.close();
  }
}

/** What has not expired at a time. */
export function alive(contents: Contents, now: number): Contents {
  return new Map([...contents].filter(([, { expiresAt }]) => expiresAt === undefined || expiresAt > now));
}

export function sorted(contents: Contents): Map<string, ModelEntry> {
  return new Map([...contents].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export async function openTiny(disk: Disk | SimDisk, options: LsmOptions = {}): Promise<LsmTree> {
  return LsmTree.open(disk, { ...TINY, randomSeed: seeds(), ...options });
}
