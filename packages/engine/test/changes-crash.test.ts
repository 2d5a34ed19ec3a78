import { type CrashOptions, type Disk, type FaultRule, SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { Engine, KayaError, type PartialEngineConfig } from "../src/index.js";
import { changesToEnd, describeChange, lsnOf, Replica, settle } from "./support/feeds.js";
import { stopBefore } from "./support/intercepted-disk.js";
import { entriesOf } from "./support/text.js";
import { openPatiently } from "./support/workload.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 240_000 });

const CONFIG: PartialEngineConfig = {
  wal: { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 },
  tables: { autoFlush: false },
};

/** What those who follow have outside of the directory: it survives everything that becomes of the disk. */
interface Outside {
  /** What was delivered to the consumer "all", which never acknowledges anything: the whole history. */
  readonly delivered: string[];
  /** Follows by a token that it remembers. */
  readonly replica: Replica;
  /** What the consumer "acker" was told that it has acknowledged. */
  acknowledged: number;
}

const newOutside = (): Outside => ({ delivered: [], replica: new Replica(), acknowledged: 0 });

/** Reads in the background until the engine ends, and says what it got. */
async function follow(engine: Engine, outside: Outside): Promise<void> {
  const { replica, delivered } = outside;
  await engine.addConsumer("all");
  await engine.addConsumer("acker");
  const wholes = (async () => {
    for await (const change of engine.changes({ consumer: "all" })) {
      if (change.lsn > delivered.length) delivered.push(describeChange(change));
    }
  })();
  const copies = (async () => {
    const feed = engine.changes({ consumer: "acker" });
    for await (const change of engine.changes(replica.token === undefined ? {} : { since: replica.token })) {
      replica.apply(change);
      if (change.lsn % 3 !== 0) continue;
      await feed.acknowledge(change.token);
      outside.acknowledged = change.lsn;
    }
  })();
  for (const each of [wholes, copies]) each.catch(() => undefined); // the engine's end, or what the disk did
}

async function workload(disk: Disk, outside: Outside, config = CONFIG): Promise<Engine> {
  let engine = await Engine.open(config, disk);
  await follow(engine, outside);
  for (let i = 1; i <= 18; i++) {
    await engine.put(`key ${i % 5}`, `${i}`.repeat(20), { durability: i % 3 === 0 ? "relaxed" : "strict" });
    if (i % 6 === 0)
      await engine.batch([
        { type: "delete", key: "key 1" },
        { type: "put", key: "batch", value: `${i}` },
      ]);
    await settle();
    if (i === 5 || i === 14) await engine.flush();
    if (i === 9) {
      await engine.close();
      engine = await Engine.open(config, disk);
      await follow(engine, outside);
    }
  }
  return engine;
}

/** F1, F4, F8: what those outside know fits what the engine has now. Says what is wrong, or "". */
async function check(engine: Engine, { delivered, replica, acknowledged }: Outside): Promise<string> {
  await engine.sync();
  if (engine.consumers().some(({ name }) => name === "all")) {
    const history = (await changesToEnd(engine, engine.changes({ consumer: "all" }), 0)).map(describeChange);
    for (const [i, text] of delivered.entries())
      if (history[i] !== text) return `delivered «${text}», and the log has «${history[i]}»`;
  } else if (delivered.length > 0) return "the consumer is not registered any more";
  const acker = engine.consumers().find(({ name }) => name === "acker");
  if (acknowledged > (acker?.lsn ?? 0))
    return `acknowledged ${acknowledged}, and ${acker?.lsn} is registered`;
  const { token } = replica;
  const from = token === undefined ? {} : { since: token };
  for (const change of await changesToEnd(
    engine,
    engine.changes(from),
    token === undefined ? 0 : lsnOf(token),
  ))
    replica.apply(change);
  const entries = JSON.stringify(await entriesOf(engine.scan()));
  return JSON.stringify(replica.sorted) === entries
    ? ""
    : `the copy has ${JSON.stringify(replica.sorted)}, not ${entries}`;
}

const ENDS: readonly (CrashOptions | "killed")[] = [
  { survive: "nothing" },
  { survive: "everything" },
  "killed",
  ...[1, 2].map((seed) => ({ survive: "random", seed }) as const),
];

const whole = await (async () => {
  const disk = new SimDisk();
  const outside = newOutside();
  const engine = await workload(disk, outside);
  const operations = disk.nextOperation;
  const wrong = await check(engine, outside);
  await engine.close();
  return { operations, outside, wrong };
})();

it("without a crash nothing is missing, and the copy is like the original", () => {
  expect(whole.wrong).toBe("");
  expect(whole.outside.delivered.length).toBeGreaterThanOrEqual(20);
  expect(whole.outside.acknowledged).toBeGreaterThan(15);
});

describe("F1: after a crash at any operation everything that was delivered is in the log, and every token is good", () => {
  it("whatever the disk kept", async () => {
    for (let at = 0; at <= whole.operations; at++) {
      for (const end of ENDS) {
        const disk = new SimDisk();
        const outside = newOutside();
        const stopping = stopBefore(at, disk);
        await Promise.race([workload(stopping.disk, outside), stopping.stopped]);
        await settle();
        if (end === "killed") disk.killProcess();
        else disk.crash(end);
        const engine = await Engine.open(CONFIG, disk);
        expect(await check(engine, outside), `at ${at}, ${JSON.stringify(end)}`).toBe("");
        await engine.close();
      }
    }
  });

  it("also after a second one inside the recovery, or in the work that follows", async () => {
    for (let at = 0; at <= whole.operations; at += 4) {
      for (const second of [0, 1, 2, 3, 5, 8, 13, 21, 34]) {
        const disk = new SimDisk();
        const outside = newOutside();
        let stopping = stopBefore(at, disk);
        await Promise.race([workload(stopping.disk, outside), stopping.stopped]);
        await settle();
        disk.crash({ survive: "random", seed: at });
        stopping = stopBefore(disk.nextOperation + second, disk);
        await Promise.race([workload(stopping.disk, outside), stopping.stopped]);
        await settle();
        disk.crash({ survive: "random", seed: at + second });
        const engine = await Engine.open(CONFIG, disk);
        expect(await check(engine, outside), `at ${at}, then ${second}`).toBe("");
        await engine.close();
      }
    }
  });

  it.each(["fsync-failed", "io-error", "disk-full"] as const)("and after a fault there: %s", async (kind) => {
    for (let at = 0; at <= whole.operations; at++) {
      const disk = new SimDisk({ faults: [{ at, kind } satisfies FaultRule] });
      const outside = newOutside();
      try {
        await (await workload(disk, outside)).close();
      } catch (error) {
        if (!KayaError.is(error)) throw error;
      }
      await settle();
      disk.crash();
      const engine = await openPatiently(disk, CONFIG);
      expect(await check(engine, outside), `${kind} at ${at}`).toBe("");
      await engine.close();
    }
  });
});
