import { KayaError } from "@kaya/core";
import { type DiskFile, Random, SimDisk } from "@kaya/io";
import { expect } from "vitest";
import {
  BlockCache,
  type EntryCursor,
  type EntryKind,
  EXPIRING,
  PUT,
  type RangeTombstone,
  Table,
  type TableSummary,
  TableWriter,
  type TableWriterOptions,
  TOMBSTONE,
} from "../src/index.js";

export interface Entry {
  readonly key: Uint8Array;
  readonly kind: EntryKind;
  readonly sequence: number;
  readonly value: Uint8Array;
  /** Of an entry that expires. */
  readonly expiresAt?: number;
}

export const SEED = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export const put = (key: string, value: string, sequence = 1): Entry => ({
  key: bytes(key),
  kind: PUT,
  sequence,
  value: bytes(value),
});

export const tombstone = (key: string, sequence = 1): Entry => ({
  key: bytes(key),
  kind: TOMBSTONE,
  sequence,
  value: new Uint8Array(0),
});

export const expiring = (key: string, value: string, expiresAt: number, sequence = 1): Entry => ({
  key: bytes(key),
  kind: EXPIRING,
  sequence,
  value: bytes(value),
  expiresAt,
});

export const compare = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

/** Sorted, each key once: the last one of the same key counts. */
export function sorted(entries: readonly Entry[]): Entry[] {
  const byKey = new Map(entries.map((entry) => [Buffer.from(entry.key).toString("latin1"), entry]));
  return [...byKey.values()].sort((a, b) => compare(a.key, b.key));
}

/** Entries with short values, the same for the same seed. */
export function manyEntries(count: number, seed = 1): Entry[] {
  const random = new Random(seed);
  return sorted(
    Array.from({ length: count }, (_, i) => {
      const key = bytes(`key:${String(random.below(count * 10)).padStart(8, "0")}`);
      const isTombstone = random.below(10) === 0;
      const value = isTombstone ? new Uint8Array(0) : bytes(`value ${i} `.repeat(1 + random.below(6)));
      return { key, kind: isTombstone ? TOMBSTONE : PUT, sequence: 1 + random.below(1_000_000), value };
    }),
  );
}

export interface Contents {
  readonly entries: readonly Entry[];
  readonly rangeTombstones?: readonly RangeTombstone[];
}

export async function writeAll(
  writer: TableWriter,
  { entries, rangeTombstones = [] }: Contents,
): Promise<TableSummary> {
  for (const tombstone of rangeTombstones) writer.addRangeTombstone(tombstone);
  for (const { key, kind, sequence, value, expiresAt } of entries)
    await writer.add(key, kind, sequence, value, expiresAt);
  return writer.finish();
}

export async function writeTable(
  contents: Contents,
  options: TableWriterOptions = {},
  disk = new SimDisk(),
  path = "t.sst",
): Promise<{ disk: SimDisk; path: string; summary: TableSummary; bytes: Uint8Array }> {
  const writer = await TableWriter.create(disk, path, { seed: SEED, ...options });
  const summary = await writeAll(writer, contents);
  return { disk, path, summary, bytes: disk.readFile(path) as Uint8Array };
}

export async function openTable(disk: SimDisk, path = "t.sst", cacheBytes = 2 ** 22): Promise<Table> {
  return Table.open(disk, path, { cache: new BlockCache({ bytes: cacheBytes }) });
}

/** Everything from where the cursor stands on. */
export async function collect(
  cursor: EntryCursor,
  isThere: boolean | Promise<boolean>,
  direction: "next" | "previous",
): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let more = await isThere; more; more = await cursor[direction]()) entries.push(standing(cursor));
  return entries;
}

/** A copy of the entry that the cursor stands on. */
export function standing({ key, kind, sequence, expiresAt, value }: EntryCursor): Entry {
  return { key: new Uint8Array(key), kind, sequence, expiresAt, value: new Uint8Array(value) };
}

export async function scan(table: Table, direction: "next" | "previous" = "next"): Promise<Entry[]> {
  const cursor = table.cursor();
  try {
    return await collect(cursor, direction === "next" ? cursor.seekFirst() : cursor.seekLast(), direction);
  } finally {
    cursor.close();
  }
}

/** Vitest compares typed arrays one element after the other: these are much sooner compared as text. */
export function asText(entries: readonly Entry[]): string[] {
  return entries.map(
    ({ key, kind, sequence, value, expiresAt }) =>
      `${Buffer.from(key).toString("hex")} ${kind}${kind === EXPIRING ? ` until ${expiresAt}` : ""} ${sequence} ${Buffer.from(value).toString("hex")}`,
  );
}

export async function codeOf(promise: Promise<unknown> | (() => unknown)): Promise<string | undefined> {
  try {
    await (typeof promise === "function" ? promise() : promise);
    return undefined;
  } catch (error) {
    if (!KayaError.is(error)) throw error;
    return error.code;
  }
}

/** Checks gets of both kinds, both scans, and seeks, against what was written. */
export async function expectContents(table: Table, { entries }: Contents): Promise<void> {
  expect(asText(await scan(table))).toEqual(asText(entries));
  expect(asText(await scan(table, "previous"))).toEqual(asText(entries).reverse());
  for (const entry of entries) {
    const found = table.getSync(entry.key);
    expect(found && asText([{ ...found, key: entry.key }])).toEqual(asText([entry]));
  }
}

/** A disk whose reads can be counted and held up. */
export function watchReads(disk: SimDisk): {
  disk: SimDisk;
  reads: number[];
  syncReads: number[];
  hold(): () => void;
} {
  const reads: number[] = [];
  const syncReads: number[] = [];
  let gate: Promise<void> | undefined;
  const open = disk.open.bind(disk);
  disk.open = async (path, options) => {
    const file: DiskFile = await open(path, options);
    const readAt = file.readAt.bind(file);
    file.readAt = async (position, into) => {
      reads.push(position);
      await gate;
      return readAt(position, into);
    };
    const readAtSync = file.readAtSync.bind(file);
    file.readAtSync = (position, into) => {
      syncReads.push(position);
      return readAtSync(position, into);
    };
    return file;
  };
  return {
    disk,
    reads,
    syncReads,
    hold: () => {
      let release: () => void = () => undefined;
      gate = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
  };
}
