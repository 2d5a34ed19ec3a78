import { type CrashOptions, type Disk, SimDisk } from "@kaya/io";
import { expect, it, vi } from "vitest";
import { Engine, json, KayaError, type PartialEngineConfig, verifyIndexEntries } from "../src/index.js";
import { entriesIn, type Row, rowsOf } from "./support/indexed-rows.js";
import { stopBefore } from "./support/intercepted-disk.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 240_000 });

const CONFIG: PartialEngineConfig = {
  wal: { segmentMaxBytes: 4000, maxRecordBytes: 2000, maxBatchBytes: 1000 },
  tables: { autoFlush: false },
};

/** Rows as the writes that were acknowledged left them, and as the one that is under way will. */
interface Expected {
  rows: Map<string, Row>;
  next: Map<string, Row>;
}

type Step = (rows: ReturnType<typeof rowsOf>, engine: Engine) => Promise<unknown>;

async function write(
  expected: Expected,
  rows: ReturnType<typeof rowsOf>,
  changes: Record<string, Row | undefined>,
) {
  const next = new Map(expected.rows);
  for (const [key, row] of Object.entries(changes)) {
    if (row === undefined) next.delete(key);
    else next.set(key, row);
  }
  expected.next = next;
  await rows.batch(
    Object.entries(changes).map(([key, value]) =>
      value === undefined ? ({ type: "delete", key } as const) : ({ type: "put", key, value } as const),
    ),
  );
  expected.rows = next;
}

/** Rows before there is an index, then with it: a build, keys that move, a clear, a flush, another process. */
async function workload(disk: Disk, expected: Expected): Promise<void> {
  const plain = await Engine.open(CONFIG, disk);
  const unindexed = plain.view({ prefix: "r:", key: "utf8", value: json<Row>() });
  for (let i = 0; i < 6; i++) {
    expected.next = new Map([...expected.rows, [`${i}`, { u: `u${i}`, m: ["a", `${i % 2}`] }]]);
    await unindexed.put(`${i}`, { u: `u${i}`, m: ["a", `${i % 2}`] });
    expected.rows = expected.next;
  }
  await plain.close();
  const engine = await Engine.open(CONFIG, disk);
  const rows = rowsOf(engine);
  const steps: Step[] = [
    (rows) => write(expected, rows, { "1": { u: "moved", m: ["b"] } }),
    (rows) => rows.ready(),
    (rows) => write(expected, rows, { "1": { u: "u2", m: [] }, "2": { u: "u1", m: ["a"] } }),
    (_, engine) => engine.flush(),
    (rows) => write(expected, rows, { "3": undefined, "4": { u: "u3" }, "7": { m: ["c"] } }),
  ];
  for (const step of steps) await step(rows, engine);
  await engine.close();
  const last = await Engine.open(CONFIG, disk);
  const [before, again] = [expected.rows, rowsOf(last)];
  await write(expected, again, { "5": { u: "moved", m: ["d"] } });
  expected.next = new Map();
  await again.clear();
  expected.rows = expected.next;
  expect(before.size).toBe(6);
  await write(expected, again, { "9": { u: "u1" } });
  await last.close();
}

/** What is wrong with what a crash left, or "". */
async function check(disk: SimDisk, { rows: acknowledged, next }: Expected): Promise<string> {
  const engine = await Engine.open(CONFIG, disk);
  try {
    const { problems } = await verifyIndexEntries(engine);
    if (problems[0] !== undefined) return `right after the opening: ${problems[0].message}`;
    const rows = rowsOf(engine);
    const found = await rows.entries().toArray();
    const isThere = (all: Map<string, Row>) => JSON.stringify(found) === JSON.stringify([...all].sort());
    if (!isThere(acknowledged) && !isThere(next)) return `the rows are ${JSON.stringify(found)}`;
    const verified = await rows.verifyIndexes();
    if (verified.problems[0] !== undefined) return verified.problems[0].message;
    const expected = found.flatMap(([key, { u, m = [] }]) => [
      ...(u === undefined ? [] : [`u ${u} ${key}`]),
      ...m.map((each) => `m ${each} ${key}`),
    ]);
    const entries = await entriesIn(engine);
    return JSON.stringify(entries) === JSON.stringify(expected.sort()) ? "" : `the entries are ${entries}`;
  } finally {
    await engine.close();
  }
}

const CRASHES: readonly CrashOptions[] = [
  { survive: "nothing" },
  { survive: "everything" },
  { survive: "random" },
];

it("no crash before any operation of the disk leaves an index that disagrees with its rows: written, built, moved or cleared", async () => {
  const whole = new SimDisk();
  const first = whole.nextOperation;
  await workload(whole, { rows: new Map(), next: new Map() });
  const wrong: string[] = [];
  for (let at = first; at <= whole.nextOperation; at++) {
    const disk = new SimDisk({ seed: at });
    const expected: Expected = { rows: new Map(), next: new Map() };
    const { disk: stopping, stopped } = stopBefore(at, disk);
    const run = workload(stopping, expected);
    await Promise.race([stopped, run]);
    run.catch((error: unknown) => {
      if (!KayaError.is(error)) throw error;
    });
    disk.crash(CRASHES[at % CRASHES.length]);
    const problem = await check(disk, expected);
    if (problem !== "") wrong.push(`before operation ${at}: ${problem}`);
  }
  expect(wrong).toEqual([]);
});
