import { KayaError } from "@kaya/core";
import type { Disk, SimDisk } from "@kaya/io";
import {
  BlockCache,
  type EntryCursor,
  inspectTable,
  isTableRow,
  type RangeTombstone,
  Table,
  type TableSummary,
  TableWriter,
  type TableWriterOptions,
} from "@kaya/lsm";

/** What a table was made of. */
export interface TableContents {
  readonly name: string;
  readonly entries: readonly {
    readonly key: Uint8Array;
    readonly value: Uint8Array;
    readonly sequence: number;
  }[];
  readonly rangeTombstones: readonly RangeTombstone[];
  readonly options: TableWriterOptions;
}

/** A requested table and, once it was finished, its writer's summary. */
export interface WrittenTable {
  readonly path: string;
  readonly contents: TableContents;
  summary?: TableSummary;
}

// Room for a third of the blocks of the larger table.
const TINY_CACHE = 64 * 1024;
const READERS = 12;

export async function write(
  disk: Disk,
  path: string,
  { entries, rangeTombstones, options }: TableContents,
): Promise<TableSummary> {
  const writer = await TableWriter.create(disk, path, options);
  try {
    for (const tombstone of rangeTombstones) writer.addRangeTombstone(tombstone);
    for (const { key, sequence, value } of entries) await writer.add(key, 0, sequence, value);
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/**
 * Reads all of a table in every way that there is.
 * @throws Error where anything is not as it was written; KayaError where it cannot be read
 */
export async function mustHold(
  disk: Disk,
  { path, contents, summary }: WrittenTable,
  cacheBytes = TINY_CACHE,
): Promise<void> {
  const cache = new BlockCache({ bytes: cacheBytes });
  const table = await Table.open(disk, path, { cache, ...(summary !== undefined && { expected: summary }) });
  try {
    mustCover(table, contents);
    await mustFind(table, contents);
    await mustScan(table, contents);
  } finally {
    await table.close();
  }
}

/**
 * Gets from tables that share a cache in which neither all blocks nor all entries of one of them fit.
 * @throws Error where anything is not as it was written
 */
export async function mustHoldBesideEachOther(disk: Disk, written: readonly WrittenTable[]): Promise<void> {
  const cache = new BlockCache({ bytes: TINY_CACHE });
  const tables = await Promise.all(written.map(({ path }) => Table.open(disk, path, { cache })));
  try {
    for (let round = 0; round < 2; round++)
      await Promise.all(tables.map((table, i) => mustFind(table, (written[i] as WrittenTable).contents)));
    if (tables.length > 1 && cache.stats.rowHits === 0) throw new Error("no get was answered by a row");
  } finally {
    await Promise.all(tables.map((table) => table.close()));
  }
}

function mustCover(table: Table, { name, rangeTombstones }: TableContents): void {
  for (const { start, end } of rangeTombstones) {
    for (const key of [start, end ?? Buffer.from("zzz"), Buffer.concat([start, Buffer.of(0)])]) {
      const covering = rangeTombstones.filter(
        (each) =>
          Buffer.compare(each.start, key) <= 0 &&
          (each.end === undefined || Buffer.compare(key, each.end) < 0),
      );
      const newest = Math.max(0, ...covering.map(({ sequence }) => sequence));
      const found = table.coveringSequence(key);
      if (found !== newest)
        throw new Error(`${name}: ${Buffer.from(key)} is covered by ${found}, not by ${newest}`);
    }
  }
}

async function mustFind(table: Table, { name, entries }: TableContents): Promise<void> {
  const same = (
    found: ReturnType<Table["getSync"]>,
    { key, value, sequence }: TableContents["entries"][0],
  ) => {
    if (found === undefined) throw new Error(`${name}: ${Buffer.from(key)} is not found`);
    if (found.sequence !== sequence || Buffer.compare(found.value, value) !== 0)
      throw new Error(`${name}: ${Buffer.from(key)} has another value than was written`);
  };
  // Many at once ask for one block, and what they find is looked at while others have blocks read.
  let next = 0;
  const reader = async () => {
    while (next < entries.length * 3) {
      const entry = entries[Math.floor(next++ / 3)];
      if (entry !== undefined) same(await table.get(entry.key), entry);
      const other = entries[(next * 7) % entries.length];
      if (other !== undefined) same(table.getSync(other.key), other);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  for (const key of ["", "k", "k0005x", "zz"].map((text) => Buffer.from(text)))
    if (table.getSync(key) !== undefined) throw new Error(`${name}: ${key} is found and was never written`);
}

async function mustScan(table: Table, { name, entries }: TableContents): Promise<void> {
  // Single blocks are in buffers of the cache: other reads must not get these while the cursor uses them.
  const held = table.cursor({ readAhead: false });
  const cursor = table.cursor();
  const text = (key: Uint8Array, value: Uint8Array) =>
    `${Buffer.from(key)}=${Buffer.from(value).toString("hex")}`;
  const expected = entries.map(({ key, value }) => text(key, value));
  const walk = async (
    on: EntryCursor,
    moved: boolean | Promise<boolean>,
    step: "next" | "previous",
    beside: () => void = () => undefined,
  ) => {
    const seen: string[] = [];
    for (let more = await moved; more; more = await on[step]()) {
      beside();
      seen.push(text(on.key, on.value));
    }
    return seen;
  };
  let other = 0;
  const readOthers = () => {
    for (let i = 0; i < 5; i++) {
      other = (other + 37) % entries.length;
      table.getSync((entries[other] as TableContents["entries"][0]).key);
    }
  };
  const seen = [
    await walk(cursor, cursor.seekFirst(), "next"),
    (await walk(cursor, cursor.seekLast(), "previous")).reverse(),
    await walk(held, held.seekFirst(), "next", readOthers),
  ];
  for (const order of seen)
    if (order.join() !== expected.join())
      throw new Error(`${name}: a scan gives ${order.length} other entries`);
  for (const { key } of entries) {
    if (!(await cursor.seek(key)) || Buffer.compare(cursor.key, key) !== 0)
      throw new Error(`${name}: a seek does not stand on ${Buffer.from(key)}`);
  }
  held.close();
  cursor.close();
}

/** Damage is refused, or makes no difference; never another answer. */
export async function mustHoldOrRefuse(disk: SimDisk, written: WrittenTable, what: string): Promise<void> {
  try {
    await mustHold(disk, written);
  } catch (error) {
    if (KayaError.is(error, "KAYA_CORRUPTION")) return;
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Where each block is. */
export async function blocksOf(
  disk: Disk,
  path: string,
): Promise<{ offset: number; length: number; kind: string }[]> {
  const blocks: { offset: number; length: number; kind: string }[] = [];
  for await (const item of inspectTable(disk, path)) if (isTableRow(item)) blocks.push(item);
  return blocks;
}
