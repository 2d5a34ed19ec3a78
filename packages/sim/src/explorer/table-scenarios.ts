import { KayaError } from "@kaya/core";
import type { FaultRule, SimDisk } from "@kaya/io";
import { TableWriter } from "@kaya/lsm";
import type { Check } from "./check-run.js";
import type { History } from "./history.js";
import { rejectionOf } from "./refusal.js";
import { type Scenario, scenario } from "./scenario.js";
import {
  blocksOf,
  mustHold,
  mustHoldBesideEachOther,
  mustHoldOrRefuse,
  type TableContents,
  type WrittenTable,
  write,
} from "./table-check.js";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const seed = (first: number): Uint8Array => Uint8Array.from({ length: 16 }, (_, i) => first + i);

function contents(
  name: string,
  count: number,
  first: number,
  step: number,
  blockBytes: number,
): TableContents {
  return {
    name,
    entries: Array.from({ length: count }, (_, i) => ({
      key: bytes(`k${String(i * step).padStart(4, "0")}`),
      value: bytes(`${name} ${i} `.repeat(1 + (i % 5))),
      sequence: first + ((i * 31) % count),
    })),
    rangeTombstones: [
      { start: bytes("a"), end: bytes("m"), sequence: first + 1 },
      { start: bytes("b"), end: undefined, sequence: first },
      { start: bytes("c"), end: bytes("d"), sequence: first + 7 },
    ],
    options: { seed: seed(first), blockBytes, indexBytes: 512, syncBytes: 4096 },
  };
}

// Some 40 blocks with one restart point each under an index of two levels; and one block with seven.
const LARGE = contents("large", 300, 1, 7, 512);
/** Its keys and their hashes, with other values. */
const OTHER: TableContents = contents("other", 300, 1, 7, 512);
const SMALL = contents("small", 105, 1000, 1, 8192);

/** What @kaya/lsm promises of tables: TABLE.md, T1 to T10. */
export function tableScenarios(): Scenario[] {
  return [
    scenario<WrittenTable>("table: written, named, read", { workload: publish, check }),
    scenario<WrittenTable>("table: faults, abandoned, written again", { workload: failAndRetry, check }),
    scenario<WrittenTable>("table: damaged blocks, and blocks in other places", {
      workload: publish,
      check: checkDamaged,
    }),
    scenario<WrittenTable>("table: two with the same keys and hashes beside each other", {
      workload: publishTwins,
      check: checkTwins,
    }),
    scenario<WrittenTable>("table: reads that fail", { workload: publish, check: checkFailingReads }),
  ];
}

/** The order that never gives a name to half a table. */
async function publishOne(
  disk: SimDisk,
  history: History<WrittenTable>,
  path: string,
  what: TableContents,
): Promise<void> {
  const table: WrittenTable = { path, contents: what };
  history.attempt(table);
  const summary = await write(disk, `${path}.tmp`, what);
  table.summary = summary;
  await disk.rename(`${path}.tmp`, path);
  await disk.syncDir("sst");
  await disk.syncDir("");
  history.acknowledge(table);
  await mustHold(disk, table);
}

async function publish(disk: SimDisk, history: History<WrittenTable>): Promise<void> {
  await publishOne(disk, history, "sst/1.sst", LARGE);
  await publishOne(disk, history, "sst/2.sst", SMALL);
}

async function publishTwins(disk: SimDisk, history: History<WrittenTable>): Promise<void> {
  await publishOne(disk, history, "sst/1.sst", LARGE);
  await publishOne(disk, history, "sst/2.sst", OTHER);
}

const FAULTS: readonly ((at: number) => FaultRule)[] = [
  (at) => ({ at, kind: "io-error" }),
  (at) => ({ at, kind: "partial-write", bytes: 700 }),
  (at) => ({ at, kind: "fsync-failed", outcome: "lost" }),
  (at) => ({ at, kind: "fsync-failed", outcome: "readable-until-crash" }),
];

/** Operations from the creation of a table's file to its last sync. */
const PLACES = [0, 1, 2];

async function failAndRetry(disk: SimDisk, history: History<WrittenTable>): Promise<void> {
  const path = "sst/1.sst";
  for (const place of PLACES) {
    for (const fault of FAULTS) {
      const at = disk.nextOperation + place;
      disk.addFault(fault(at));
      const error = await rejectionOf(write(disk, `${path}.tmp`, SMALL));
      const isMet = disk.events.some((event) => event.index === at && event.error !== undefined);
      if (isMet !== KayaError.is(error))
        throw new Error(`a fault at operation ${place} of a table ends with ${error}`);
      if (error === undefined) await disk.remove(`${path}.tmp`);
      if (disk.readFile(`${path}.tmp`) !== undefined) throw new Error("an abandoned table left its file");
    }
  }
  await publishOne(disk, history, path, SMALL);
  // An existing table is not overwritten, nor removed by a writer that did not make it.
  const refused = await rejectionOf(TableWriter.create(disk, path, SMALL.options));
  if (!KayaError.is(refused, "KAYA_INVALID_ARGUMENT")) throw new Error(`a table is written over: ${refused}`);
  await mustHold(disk, { path, contents: SMALL });
}

/** A published table is whole, an unpublished one may be; half a table never passes for one. */
const check: Check<WrittenTable> = async (disk, { attempted, acknowledged }, recovered) => {
  recovered();
  for (const table of attempted) {
    if (acknowledged.has(table)) {
      await mustHold(disk, table);
      continue;
    }
    // Its name may be there without the sync of its directory; the bytes were synced before it got that name.
    if (disk.readFile(table.path) !== undefined)
      await mustHold(disk, { path: table.path, contents: table.contents });
    const unfinished = `${table.path}.tmp`;
    if (disk.readFile(unfinished) !== undefined)
      await mustHoldOrRefuse(disk, { path: unfinished, contents: table.contents }, "an unfinished table");
  }
};

const checkTwins: Check<WrittenTable> = async (disk, view, recovered) => {
  await check(disk, view, recovered);
  await mustHoldBesideEachOther(disk, [...view.acknowledged]);
};

const checkDamaged: Check<WrittenTable> = async (disk, view, recovered) => {
  await check(disk, view, recovered);
  const tables = [...view.acknowledged];
  for (const table of tables) {
    const { path } = table;
    const blocks = await blocksOf(disk, path);
    for (const { offset, length, kind } of blocks.slice(0, 2).concat(blocks.slice(-5))) {
      for (const at of [offset + (length >> 1), offset + length - 1]) {
        const fork = disk.fork();
        fork.flipBit(path, at, at % 8);
        await mustHoldOrRefuse(fork, table, `a bit of the ${kind} block at ${offset} of ${path}`);
      }
    }
    await mustHoldInOtherPlaces(disk, table, blocks);
  }
  await mustBeTold(disk, tables);
};

/** Each data block in the place of each other one of its length. */
async function mustHoldInOtherPlaces(
  disk: SimDisk,
  table: WrittenTable,
  blocks: readonly { offset: number; length: number; kind: string }[],
): Promise<void> {
  const file = disk.readFile(table.path);
  if (file === undefined) throw new Error(`${table.path} is not there`);
  const data = blocks.filter(({ kind }) => kind === "data");
  for (const [i, to] of data.entries()) {
    const from = data.find((each, j) => j > i && each.length === to.length);
    if (from === undefined) continue;
    const moved = Uint8Array.from(file);
    moved.set(file.subarray(from.offset, from.offset + from.length), to.offset);
    const fork = disk.fork();
    fork.writeFile(table.path, moved);
    await mustHoldOrRefuse(
      fork,
      table,
      `the block at ${from.offset} in the place of the one at ${to.offset}`,
    );
    return;
  }
}

/** The writer's summary shows one table under the name of another. */
async function mustBeTold(disk: SimDisk, tables: readonly WrittenTable[]): Promise<void> {
  const [one, other] = tables;
  if (one?.summary === undefined || other?.summary === undefined) return;
  const summary = { ...one.summary, fileBytes: other.summary.fileBytes };
  const error = await rejectionOf(mustHold(disk, { ...other, summary }));
  if (!KayaError.is(error, "KAYA_CORRUPTION"))
    throw new Error(`another table is taken for the one that was written: ${error}`);
}

const checkFailingReads: Check<WrittenTable> = async (disk, view, recovered) => {
  await check(disk, view, recovered);
  for (const table of view.acknowledged) {
    // Opening takes two, and what is behind has the index, the filter and each block.
    for (let at = 0; at < 12; at++) {
      const fork = disk.fork();
      const first = fork.nextRead;
      fork.addFault({ atRead: first + at, kind: "read-error" });
      const error = await rejectionOf(mustHold(fork, table));
      if (fork.nextRead <= first + at) break;
      if (!KayaError.is(error, "KAYA_IO"))
        throw new Error(`a failing read of ${table.path} ends with ${error}`);
    }
  }
};
