import { Random, SimDisk } from "@kaya/io";
import { expect, it, vi } from "vitest";
import { type Engine, KayaError, type PartialEngineConfig, verifyIndexEntries } from "../src/index.js";
import type { Replica } from "../src/replica/index.js";
import { entriesIn, type Row, rowsOf } from "./support/indexed-rows.js";
import { MemoryLog, replicaOn } from "./support/memory-log.js";
import { TestClock } from "./support/test-clock.js";
import { latin1 } from "./support/text.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 240_000 });

const CONFIG: PartialEngineConfig = {
  wal: { segmentMaxBytes: 3000, maxRecordBytes: 3000 },
  memory: { memtableBytes: 32 * 1024 },
  tables: { quietMs: 0, level0Tables: 2 },
};
const MAX_BATCH_BYTES = 2000;
const KEYS = ["1", "2", "3", "4", "5"] as const;
const REFUSED = [
  "KAYA_NOT_LEADER",
  "KAYA_NOT_UNIQUE",
  "KAYA_CONFLICT",
  "KAYA_FENCED",
  "KAYA_IN_DOUBT",
  "KAYA_NO_MAJORITY",
];

/** Machines that share a log and a clock. */
class Cluster {
  readonly log = new MemoryLog();
  readonly clock = new TestClock();
  readonly random: Random;
  readonly disks = [0, 1, 2].map((seed) => new SimDisk({ seed }));
  readonly nodes: Replica[] = [];
  leader = 0;
  rejected = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  async start(): Promise<void> {
    for (const index of this.disks.keys()) await this.#open(index);
    this.#leading.lead(this.log.commit);
    await rowsOf(this.#leading.engine).ready();
  }

  async #open(index: number): Promise<void> {
    const disk = this.disks[index] as SimDisk;
    const options = { maxBatchBytes: MAX_BATCH_BYTES, clock: this.clock, largeValueBytes: 200 };
    this.nodes[index] = await replicaOn(disk, CONFIG, options);
    rowsOf(this.node(index).engine);
  }

  node(index: number): Replica {
    return this.nodes[index] as Replica;
  }

  get #leading(): Replica {
    return this.node(this.leader);
  }

  get #follower(): number {
    return (this.leader + 1 + this.random.below(2)) % 3;
  }

  async step(): Promise<void> {
    switch (this.random.below(12)) {
      case 0:
        await this.#changeLeader();
        return;
      case 1:
        await this.#refuseOne();
        return;
      case 2:
        await this.#doubtOne();
        return;
      case 3:
        await this.#restart(this.#follower);
        return;
      case 4:
        this.clock.pass(50);
        return;
      case 5:
        await this.node(this.random.below(3)).engine.flush();
        return;
      case 6:
      case 7:
        await this.log.bring(this.node(this.#follower));
        return;
      default:
        await this.#burst();
    }
  }

  async #burst(): Promise<void> {
    const { engine } = this.#leading;
    const writes = Array.from({ length: 1 + this.random.below(6) }, () => write(engine, this.random));
    await this.#settle(writes);
  }

  /** Each acknowledged record is in the shared log. */
  async #settle(writes: readonly Promise<unknown>[]): Promise<void> {
    for (const result of await Promise.allSettled(writes)) {
      if (result.status === "fulfilled") {
        const lsn = (result.value as { readonly lsn?: number } | undefined)?.lsn ?? 0;
        expect(lsn).toBeLessThanOrEqual(this.log.lsn);
      } else if (KayaError.is(result.reason) && REFUSED.includes(result.reason.code)) this.rejected++;
      else throw result.reason;
    }
  }

  async #changeLeader(): Promise<void> {
    const running = [write(this.#leading.engine, this.random), write(this.#leading.engine, this.random)];
    await this.#leading.follow();
    await this.#settle(running);
    this.leader = this.random.below(3);
    await this.#lead();
  }

  async #lead(): Promise<void> {
    await this.log.bring(this.#leading);
    expect(this.#leading.position.lsn).toBe(this.log.lsn);
    this.#leading.lead(this.log.commit);
  }

  async #refuseOne(): Promise<void> {
    const { lsn } = this.log;
    this.log.before = () => {
      throw new KayaError("KAYA_NO_MAJORITY", "nobody answers");
    };
    await this.#burst();
    this.log.before = () => undefined;
    expect(this.log.lsn).toBe(lsn);
    expect(this.#leading.position.lsn).toBe(lsn);
  }

  /** The entry is there, and the writer is not told. */
  async #doubtOne(): Promise<void> {
    this.log.after = () => {
      this.log.before = () => {
        throw new KayaError("KAYA_FENCED", "in doubt before");
      };
      throw new KayaError("KAYA_IN_DOUBT", "no answer");
    };
    await this.#burst();
    await this.#leading.follow();
    this.log.after = () => undefined;
    this.log.before = () => undefined;
    await this.#lead();
  }

  async #restart(index: number): Promise<void> {
    const disk = this.disks[index] as SimDisk;
    const end = this.random.below(3);
    if (end === 0) await this.node(index).engine.close();
    else if (end === 1) disk.killProcess();
    else disk.crash({ survive: "random", seed: this.random.below(1000) });
    await this.#open(index);
  }

  async end(): Promise<void> {
    const states: string[] = [];
    for (const node of this.nodes) {
      await this.log.bring(node);
      states.push(await stateOf(node.engine));
      expect((await verifyIndexEntries(node.engine)).problems).toEqual([]);
    }
    expect(states[1]).toBe(states[0]);
    expect(states[2]).toBe(states[0]);
    expect(this.log.mostBytes).toBeLessThanOrEqual(MAX_BATCH_BYTES);
    for (const [index, node] of this.nodes.entries()) {
      await node.engine.close();
      await this.#open(index);
      expect(await stateOf(this.node(index).engine)).toBe(states[0]);
      await this.node(index).engine.close();
    }
  }
}

function rowOf(random: Random): Row {
  const unique = random.pick([undefined, "a", "b", "c"] as const);
  return { u: unique, m: ["x", "y"].filter(() => random.below(2) === 0), n: random.below(100) };
}

function write(engine: Engine, random: Random): Promise<unknown> {
  const rows = rowsOf(engine);
  const [key, other, row] = [random.pick(KEYS), random.pick(KEYS), rowOf(random)];
  const durability = random.pick(["strict", "relaxed"] as const);
  switch (random.below(11)) {
    case 0:
      return rows.delete(key, { durability });
    case 1:
      return rows.batch([
        { type: "put", key, value: row },
        { type: "delete", key: other },
      ]);
    case 2:
      return rows.update(key, (old) => (old === undefined ? row : { ...old, u: row.u }));
    case 3:
      return engine.transact(async (tx) => {
        const taken = row.u === undefined ? undefined : await rows.in(tx).index("u").get(row.u);
        tx.batch([rows.op.put(taken?.key ?? key, row)]);
      });
    case 4:
      return random.below(4) === 0 ? rows.clear() : rows.clear({ gte: "4" });
    case 5:
      return engine.put(`t:${key}`, "gone soon", { ttlMs: 1 + random.below(200), durability });
    case 6:
      return engine.put(`v:${key}`, "v".repeat(200 + random.below(800)), { durability });
    case 7:
      return engine.batch([
        { type: "clear", range: { gte: "v:3", lt: "v:5" } },
        { type: "put", key: "v:4", value: "new" },
      ]);
    case 8:
      return engine.clear({ gte: "t:" }, { durability });
    case 9:
      return engine.clear({ gte: "v:", limit: 2 });
    default:
      return rows.put(key, row, { durability });
  }
}

/** What can be read, with sequences and expiry, and what indexes have. */
async function stateOf(engine: Engine): Promise<string> {
  const state: string[] = [];
  for await (const { key, value } of engine.scan()) {
    const { sequence, expiresAt } = (await engine.getEntry(key)) ?? {};
    state.push(`${latin1(key)} ${sequence} ${expiresAt} ${latin1(value)}`);
  }
  return [...state, ...(await entriesIn(engine))].join("\n");
}

it.each(Array.from({ length: 12 }, (_, seed) => seed))(
  "any history leaves the same on all replicas, with batches, ranges, expiry, large values and indexes: %i",
  async (seed) => {
    const cluster = new Cluster(seed);
    await cluster.start();
    for (let i = 0; i < 120; i++) await cluster.step();
    await cluster.end();
    expect(cluster.rejected).toBeGreaterThan(0);
    expect(cluster.log.lsn).toBeGreaterThan(50);
  },
);
