import { type CrashOptions, type Disk, type FaultRule, Random, SimDisk } from "@kaya/io";
import { decodeRecord } from "@kaya/wal";
import { describe, expect, it, vi } from "vitest";
import { Engine, KayaError, type PartialEngineConfig } from "../src/index.js";
import type { Replica } from "../src/replica/index.js";
import { stopBefore } from "./support/intercepted-disk.js";
import { MemoryLog, replicaOn } from "./support/memory-log.js";
import { latin1 } from "./support/text.js";

// They try every place of a fault; how long that takes depends on what else the machine does.
vi.setConfig({ testTimeout: 240_000 });

const CONFIG: PartialEngineConfig = {
  wal: { segmentMaxBytes: 500, maxRecordBytes: 400 },
  tables: { autoFlush: false, quietMs: 0, level0Tables: 2 },
};
const OPTIONS = { maxBatchBytes: 300 };

/** What is outside of the disk that fails. */
interface Outside {
  readonly log: MemoryLog;
  readonly other: Replica;
  /** The last record that the node acknowledged to a caller. */
  acknowledged: number;
}

async function outside(): Promise<Outside> {
  const log = new MemoryLog();
  const other = await replicaOn(new SimDisk(), {}, OPTIONS);
  return { log, other, acknowledged: 0 };
}

async function write(replica: Replica, from: number, seen?: Outside): Promise<void> {
  const { engine } = replica;
  const writes = [
    engine.put("count", `${from}`),
    engine.put(`key ${from % 4}`, "x".repeat(60), { durability: "relaxed" }),
    engine.batch([
      { type: "put", key: "batch", value: `${from}`, ttlMs: 1e9 },
      { type: "clear", range: { gte: "key 2", lt: "key 3" } },
    ]),
    engine.put(`large ${from % 2}`, "y".repeat(150)),
  ];
  for (const result of await Promise.allSettled(writes))
    if (result.status === "fulfilled" && seen !== undefined)
      seen.acknowledged = Math.max(seen.acknowledged, result.value.lsn);
}

/** The other node writes, and what it wrote comes here. */
async function follow(replica: Replica, { log, other }: Outside, from: number): Promise<void> {
  await log.bring(other);
  other.lead(log.commit);
  await write(other, from);
  await other.follow();
  await log.bring(replica);
}

async function workload(disk: Disk, seen: Outside): Promise<void> {
  let replica = await replicaOn(disk, CONFIG, OPTIONS);
  await follow(replica, seen, 1);
  await follow(replica, seen, 2);
  replica.lead(seen.log.commit);
  await write(replica, 3, seen);
  await replica.engine.flush();
  await write(replica, 4, seen);
  await replica.follow();
  await replica.engine.close();
  replica = await replicaOn(disk, CONFIG, OPTIONS);
  await follow(replica, seen, 5);
  replica.lead(seen.log.commit);
  await write(replica, 6, seen);
  await replica.follow();
  await replica.engine.close();
}

/** What can be read, with the sequences. */
async function stateOf(engine: Engine): Promise<string> {
  const state: string[] = [];
  for await (const { key, value } of engine.scan())
    state.push(`${latin1(key)} ${(await engine.getEntry(key))?.sequence} ${latin1(value)}`);
  return state.join("\n");
}

/** What the first records of a log make. */
async function prefixOf({ entries }: MemoryLog, lsn: number): Promise<string> {
  const whole = Buffer.concat(entries.map(({ bytes }) => bytes));
  let end = 0;
  for (let at = 0; at < lsn; at++) {
    const result = decodeRecord(whole.subarray(end));
    if (result.status !== "complete") throw new Error(`the log has no LSN ${at + 1}`);
    end += result.bytesRead;
  }
  const disk = new SimDisk();
  disk.writeFile("wal/0000000000000001.wal", whole.subarray(0, end));
  const engine = await Engine.open({ readOnly: true }, disk);
  const state = await stateOf(engine);
  await engine.close();
  return state;
}

/** What is on the disk is a prefix of the log, and the node goes on from it. */
async function check(disk: SimDisk, { log, other }: Outside, least: number, when: string): Promise<void> {
  const replica = await replicaOn(disk, CONFIG, OPTIONS);
  const { lsn } = replica.position;
  expect(lsn, when).toBeGreaterThanOrEqual(least);
  expect(lsn, when).toBeLessThanOrEqual(log.lsn);
  expect(await stateOf(replica.engine), when).toBe(await prefixOf(log, lsn));
  await log.bring(replica);
  replica.lead(log.commit);
  await replica.engine.put("after", "1");
  await replica.follow();
  await log.bring(other);
  expect(await stateOf(replica.engine), when).toBe(await stateOf(other.engine));
  await replica.engine.close();
  await other.engine.close();
}

const operations = await (async () => {
  const disk = new SimDisk();
  await workload(disk, await outside());
  return disk.nextOperation;
})();
const everyIndex = Array.from({ length: operations + 1 }, (_, at) => at);

type End = CrashOptions | "killed";
type Fault = Omit<FaultRule, "at">;

describe("a crash at any operation of a replica", () => {
  const ENDS: readonly [End, ...End[]] = [
    {},
    { survive: "everything" },
    { survive: "random", seed: 1 },
    { survive: "random", seed: 2 },
    "killed",
  ];

  it("leaves a prefix of the shared log, from which it goes on", async () => {
    for (const at of everyIndex) {
      const end = drawn(ENDS, at);
      const disk = new SimDisk();
      const seen = await outside();
      const stopping = stopBefore(at, disk);
      await Promise.race([workload(stopping.disk, seen), stopping.stopped]);
      await new Promise(setImmediate);
      if (end === "killed") disk.killProcess();
      else disk.crash(end);
      expect(seen.acknowledged).toBeLessThanOrEqual(seen.log.lsn);
      // A process that is killed loses nothing that it wrote, and it wrote what it acknowledged.
      const least = end === "killed" ? seen.acknowledged : 0;
      await check(disk, seen, least, `at ${at}, ${JSON.stringify(end)}`);
    }
  });
});

describe("a fault at any operation of a replica", () => {
  const FAULTS: readonly [Fault, ...Fault[]] = [
    { kind: "fsync-failed" },
    { kind: "io-error" },
    { kind: "disk-full" },
    { kind: "partial-write", bytes: 30 } as Fault,
  ];

  it("leaves nothing here that is not in the log, and it goes on when it is opened again", async () => {
    const failed = new Set<string>();
    for (const at of everyIndex.slice(0, -1)) {
      const fault = drawn(FAULTS, at);
      const disk = new SimDisk({ faults: [{ ...fault, at } as FaultRule] });
      const seen = await outside();
      const error = await workload(disk, seen).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error !== undefined) failed.add(fault.kind);
      if (error !== undefined && !KayaError.is(error)) throw error;
      if (seen.other.isLeading) await seen.other.follow();
      if (at % 2 === 0) disk.killProcess();
      else disk.crash({ survive: "random", seed: at });
      await check(disk, seen, 0, `${fault.kind} at ${at}`);
    }
    expect(failed.size).toBe(FAULTS.length);
  });
});

/** One for each operation: all of them at each would take minutes. */
function drawn<T>(kinds: readonly [T, ...T[]], at: number): T {
  return new Random(at).pick(kinds);
}
