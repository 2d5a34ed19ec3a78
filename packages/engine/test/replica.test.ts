import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { Engine, KayaError, verifyIndexEntries } from "../src/index.js";
import { openReplica, type Replica, type ReplicaOptions } from "../src/replica/index.js";
import { rowsOf } from "./support/indexed-rows.js";
import { holdUp } from "./support/intercepted-disk.js";
import { LOG_ID, MemoryLog, replicaOn } from "./support/memory-log.js";
import { entriesOf, rejection, text } from "./support/text.js";

const nextTurn = () => new Promise(setImmediate);

/** A promise and its end. */
function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

async function leader(log: MemoryLog, disk = new SimDisk(), config = {}): Promise<Replica> {
  const replica = await replicaOn(disk, config);
  await log.bring(replica);
  replica.lead(log.commit);
  return replica;
}

describe("a replica that leads", () => {
  it("hands each batch over before anybody sees it, and acknowledges it as durable", async () => {
    const log = new MemoryLog();
    const replica = await leader(log);
    const { engine } = replica;
    log.before = () => {
      expect(engine.getSync("a")).toBeUndefined();
    };
    const results = await Promise.all([
      engine.put("a", "1"),
      engine.put("b", "2", { durability: "relaxed" }),
    ]);
    expect(results).toEqual([
      { lsn: 1, sequence: 1, durable: true },
      { lsn: 2, sequence: 2, durable: true },
    ]);
    expect(log.entries).toMatchObject([{ firstLsn: 1, lastLsn: 2, lastSequence: 2 }]);
    expect(replica.position).toEqual({ lsn: 2, sequence: 2 });
    expect(await engine.batch([], { durability: "relaxed" })).toEqual({ lsn: 2, sequence: 2, durable: true });
    expect(await engine.batch([])).toEqual({ lsn: 2, sequence: 2, durable: true });
    await engine.close();
  });

  it("syncs nothing for a commit; a flush syncs what its table covers", async () => {
    const disk = new SimDisk();
    const { engine } = await leader(new MemoryLog(), disk);
    for (let i = 0; i < 20; i++) await engine.put(`${i}`, "x");
    expect(engine.stats().wal.fsyncs.count).toBe(0);
    await engine.flush();
    await engine.put("later", "x");
    disk.crash();
    const again = await replicaOn(disk);
    expect(again.position.lsn).toBe(20);
    expect(await again.engine.count()).toBe(20);
    await again.engine.close();
  });

  it("waits for the log before a batch without operations, and before a transaction that only read", async () => {
    const log = new MemoryLog();
    const { engine } = await leader(log);
    const { opened, open } = gate();
    log.before = () => opened;
    const settled: string[] = [];
    const running = [
      engine.put("a", "1").then(() => settled.push("put")),
      engine.batch([]).then(() => settled.push("nothing")),
      engine.update("b", () => undefined).then(() => settled.push("kept")),
    ];
    for (let i = 0; i < 5; i++) await nextTurn();
    expect(settled).toEqual([]);
    open();
    await Promise.all(running);
    expect(settled).toHaveLength(3);
    await engine.close();
  });

  it("takes all back that the log does not take: nothing is seen, and sequences are given again", async () => {
    const disk = new SimDisk();
    const log = new MemoryLog();
    const { engine } = await leader(log, disk);
    await engine.put("a", "1");
    log.before = () => {
      throw new KayaError("KAYA_FENCED", "another node claimed the log", { leader: "there:1" });
    };
    const results = await Promise.allSettled([
      engine.put("a", "2"),
      engine.update("a", () => "3"),
      engine.transact((tx) => tx.put("b", "4")),
      engine.clear(),
    ]);
    for (const result of results)
      expect(result).toMatchObject({ reason: { code: "KAYA_FENCED", leader: "there:1" } });
    expect(await entriesOf(engine.scan())).toEqual([["a", "1"]]);
    log.before = () => undefined;
    expect(await engine.put("c", "5")).toMatchObject({ lsn: 2, sequence: 2 });
    await engine.close();
    const again = await replicaOn(disk);
    expect(await entriesOf(again.engine.scan())).toEqual([
      ["a", "1"],
      ["c", "5"],
    ]);
    await again.engine.close();
  });

  it("fails for good where the log has a batch that cannot be written here, and has it once it followed again", async () => {
    const disk = new SimDisk();
    const log = new MemoryLog();
    const replica = await leader(log, disk);
    const { engine } = replica;
    let failures = 0;
    replica.onFailure(() => failures++);
    await engine.put("a", "1");
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    const error = await rejection("KAYA_FSYNC_FAILED", engine.put("b", "2"));
    expect(error.message).toContain("is in the shared log");
    expect([engine.state, failures]).toEqual(["failed", 1]);
    expect(text(await engine.get("a"))).toBe("1");
    await rejection("KAYA_WRITER_FAILED", engine.put("c", "3"));
    await replica.follow();
    await rejection("KAYA_WRITER_FAILED", replica.append(log.behind(1)[0] as never));
    expect(() => replica.lead(log.commit)).toThrow(/no more writes/);
    await engine.close();
    const again = await leader(log, disk);
    expect(text(await again.engine.get("b"))).toBe("2");
    await again.engine.close();
  });

  it("tells that its directory refuses writes, until there is room", async () => {
    const disk = new SimDisk();
    const log = new MemoryLog();
    const replica = await replicaOn(disk);
    const refused: string[] = [];
    expect(() => replica.lead(log.commit, 1 as never)).toThrow(/refusedHere must be a function/);
    replica.lead(log.commit, ({ code }) => refused.push(code));
    const faults = disk.scheduleFaults(...Array(30).fill({ kind: "disk-full", after: 0, only: "open" }));
    await rejection("KAYA_DISK_FULL", replica.engine.put("a", "1"));
    await rejection("KAYA_DISK_FULL", replica.assertRoom());
    expect([refused, log.entries.length, replica.isLeading]).toEqual([["KAYA_DISK_FULL"], 0, true]);
    faults.cancel();
    await replica.assertRoom();
    await replica.engine.put("a", "2");
    expect(replica.position.lsn).toBe(1);
    await replica.engine.close();
  });

  it("tells once that more can be read, or that nothing more will come", async () => {
    const disk = new SimDisk();
    const log = new MemoryLog();
    const replica = await leader(log, disk);
    const { engine } = replica;
    await engine.put("a", "1");
    const told: number[] = [];
    const listen = () => replica.onApplied(() => told.push(replica.position.lsn));
    listen();
    expect(told).toEqual([]);
    await engine.put("b", "2");
    await engine.put("c", "3");
    expect(told).toEqual([2]);
    listen()();
    await engine.put("d", "4");
    expect(told).toEqual([2]);
    listen();
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    await rejection("KAYA_FSYNC_FAILED", engine.put("e", "5"));
    expect(told).toEqual([2, 4]);
    await engine.close();
    const follower = await replicaOn(disk);
    let calls = 0;
    follower.onApplied(() => calls++);
    await log.bring(follower);
    expect([calls, follower.position.lsn]).toEqual([1, 5]);
    await follower.engine.close();
  });

  it("refuses what no batch of the log holds, before anything is queued; a clear is split", async () => {
    const log = new MemoryLog();
    const replica = await replicaOn(new SimDisk(), {}, { maxBatchBytes: 300 });
    replica.lead(log.commit);
    const { engine } = replica;
    for (const write of [
      engine.put("a", "x".repeat(300)),
      engine.batch([1, 2, 3].map((n) => ({ type: "put", key: `${n}`, value: "x".repeat(100) }))),
      engine.transact((tx) => {
        for (const key of ["1", "2", "3"]) tx.put(key, "x".repeat(100));
      }),
      engine.update("a", () => "x".repeat(300)),
    ])
      await rejection("KAYA_INVALID_ARGUMENT", write);
    expect(engine.stats().lastLsn).toBe(0);
    for (let i = 0; i < 40; i++) await engine.put(`key ${i}`.padEnd(30), "");
    await engine.clear({ limit: 30 });
    expect(await engine.count()).toBe(10);
    expect(log.mostBytes).toBeLessThanOrEqual(300);
    await engine.close();
  });
});

describe("a replica that follows", () => {
  it("has what the log has, byte for byte, and tells watchers", async () => {
    const log = new MemoryLog();
    const [a, b] = [await leader(log), await replicaOn(new SimDisk())];
    const watch = b.engine.watch("b");
    const told = watch.next();
    await a.engine.put("a", "1");
    await a.engine.batch([
      { type: "put", key: "b", value: "2" },
      { type: "delete", key: "a" },
    ]);
    await a.engine.clear({ gte: "x" });
    await log.bring(b);
    expect(b.position).toEqual(a.position);
    expect(await entriesOf(b.engine.scan())).toEqual([["b", "2"]]);
    await told;
    await watch.return();
    await a.engine.close();
    await b.engine.close();
  });

  it("refuses each kind of write before it is queued, and the ones that return at once always", async () => {
    const log = new MemoryLog();
    const replica = await replicaOn(new SimDisk());
    const { engine } = replica;
    const rows = rowsOf(engine);
    const writes = (): Promise<unknown>[] => [
      engine.put("a", "1"),
      engine.delete("a"),
      engine.batch([{ type: "put", key: "a", value: "1" }]),
      engine.batch([], { durability: "relaxed" }),
      engine.batch([{ type: "delete", key: "a" }], { conditions: [{ key: "a", sequence: undefined }] }),
      engine.clear(),
      engine.clear({ limit: 1 }),
      engine.update("a", () => "1"),
      engine.transact(() => 1),
      rows.put("a", {}),
      rows.clear(),
      rows.ready(),
      rows.index("m").get("x"),
      rows.dropIndex("gone"),
    ];
    for (const write of writes()) await rejection("KAYA_NOT_LEADER", write);
    const now = [
      () => engine.putSync("a", "1"),
      () => engine.deleteSync("a"),
      () => engine.batchSync([]),
      () => rows.putSync("a", {}),
    ];
    for (const write of now) expect(write).toThrow(/is a replica/);
    expect(engine.stats()).toMatchObject({ lastLsn: 0, lastSequence: 0 });
    replica.lead(log.commit);
    for (const write of now) expect(write).toThrow(/is a replica/);
    expect(log.lsn).toBe(0);
    await engine.close();
  });

  it("becomes the writer, and follows again, any number of times", async () => {
    const log = new MemoryLog();
    const [a, b] = [await replicaOn(new SimDisk()), await replicaOn(new SimDisk())];
    for (let i = 0; i < 6; i++) {
      const [leads, follows] = i % 2 === 0 ? [a, b] : [b, a];
      await log.bring(leads);
      leads.lead(log.commit);
      await leads.engine.update("n", (value) => `${Number(text(value) ?? 0) + 1}`);
      await rejection("KAYA_NOT_LEADER", follows.engine.put("n", "0"));
      await leads.follow();
      await leads.follow();
      await rejection("KAYA_NOT_LEADER", leads.engine.put("n", "0"));
    }
    await log.bring(a);
    expect(text(await a.engine.get("n"))).toBe("6");
    await a.engine.close();
    await b.engine.close();
  });

  it("rejects updates and transactions that are under way when it stops leading, and nothing hangs", async () => {
    const log = new MemoryLog();
    const replica = await leader(log);
    const { engine } = replica;
    await engine.put("a", "1");
    const never = new Promise<string>(() => undefined);
    const running = [
      engine.update("a", () => never),
      engine.update("a", () => never),
      engine.transact(async (tx) => {
        await tx.get("a");
        await never;
      }),
      engine.transact(async (tx) => {
        tx.put("b", "2");
        return never;
      }),
    ].map((write) => rejection("KAYA_NOT_LEADER", write));
    await nextTurn();
    await replica.follow();
    await Promise.all(running);
    replica.lead(log.commit);
    expect(await engine.transact((tx) => tx.get("a"))).toBeDefined();
    expect(log.lsn).toBe(1);
    await engine.close();
  });

  it("commits what had its place in the log when it stopped leading, and then refuses", async () => {
    const log = new MemoryLog();
    const replica = await leader(log);
    const { opened, open } = gate();
    log.before = () => opened;
    const accepted = [replica.engine.put("a", "1")];
    await nextTurn();
    accepted.push(replica.engine.put("b", "2"));
    let hasStopped = false;
    const stopping = replica.follow().then(() => {
      hasStopped = true;
    });
    await rejection("KAYA_NOT_LEADER", replica.engine.put("c", "3"));
    await rejection(
      "KAYA_INVALID_ARGUMENT",
      replica.append({ firstLsn: 1, lastLsn: 1, bytes: new Uint8Array() }),
    );
    expect(() => replica.lead(log.commit)).toThrow(/await `follow`/);
    await nextTurn();
    expect(hasStopped).toBe(false);
    open();
    await stopping;
    expect((await Promise.all(accepted)).map(({ lsn }) => lsn)).toEqual([1, 2]);
    expect(log.lsn).toBe(2);
    await replica.engine.close();
  });

  it("appends nothing while it leads, and does not lead while it appends", async () => {
    const log = new MemoryLog();
    const [a, b] = [await leader(log), await replicaOn(new SimDisk())];
    await a.engine.put("a", "1");
    const [entry] = log.entries;
    await rejection("KAYA_INVALID_ARGUMENT", a.append(entry as never));
    expect(() => a.lead(log.commit)).toThrow(/leads already/);
    expect(() => b.lead(undefined as never)).toThrow(/must be a function/);
    const appended = b.append(entry as never);
    expect(() => b.lead(log.commit)).toThrow(/await `append`/);
    await appended;
    b.lead(log.commit);
    await a.engine.close();
    await b.engine.close();
    expect(() => b.lead(log.commit)).toThrow();
    await rejection("KAYA_CLOSED", b.engine.put("a", "1"));
    await b.follow();
  });

  it("holds appends up while a memtable is flushed, as writes are", async () => {
    const log = new MemoryLog();
    const config = { memory: { memtableBytes: 32 * 1024 } };
    const [a, b] = [await leader(log), await replicaOn(new SimDisk(), config)];
    for (let i = 0; i < 300; i++) await a.engine.put(`${i}`, "x".repeat(500));
    await log.bring(b);
    expect(b.engine.stats().flush?.finished ?? b.engine.stats().tables.tables).toBeGreaterThan(0);
    expect(b.engine.stats().memtable.bytes).toBeLessThan(64 * 1024);
    expect(await b.engine.count()).toBe(300);
    await a.engine.close();
    await b.engine.close();
  });
});

describe("indexes of replicas", () => {
  it("are read on followers as soon as they are built there", async () => {
    const log = new MemoryLog();
    const [a, b] = [await leader(log), await replicaOn(new SimDisk())];
    const rows = rowsOf(b.engine);
    await rejection("KAYA_NOT_LEADER", rows.index("m").get("x"));
    await rowsOf(a.engine).put("1", { m: ["x"] });
    await rowsOf(a.engine).ready();
    await log.bring(b);
    expect((await rows.index("m").get("x")).map(({ key }) => key)).toEqual(["1"]);
    await rowsOf(a.engine).put("2", { m: ["x", "y"] });
    await log.bring(b);
    expect((await rows.index("m").get("x")).map(({ key }) => key)).toEqual(["1", "2"]);
    expect((await rows.verifyIndexes()).problems).toEqual([]);
    await a.engine.close();
    await b.engine.close();
  });

  it("are read on followers once the last entries of the build are applied there", async () => {
    const log = new MemoryLog();
    const a = await leader(log);
    await a.engine.put("r:1", JSON.stringify({ u: "a" }));
    await rowsOf(a.engine).ready();
    let holds = false;
    const { disk, release, held } = holdUp(new SimDisk(), ({ kind }) => holds && kind === "append");
    const b = await replicaOn(disk);
    const rows = rowsOf(b.engine);
    for (const entry of log.entries.slice(0, -1)) await b.append(entry);
    holds = true;
    const appended = b.append(log.entries.at(-1) as never);
    await held;
    const early = rows.index("u").get("a");
    await rejection("KAYA_NOT_LEADER", early);
    release();
    await appended;
    expect((await rows.index("u").get("a"))?.key).toBe("1");
    await a.engine.close();
    await b.engine.close();
  });

  it("are kept by a node that knew of none when it led before", async () => {
    const log = new MemoryLog();
    const [a, b] = [await replicaOn(new SimDisk()), await leader(log)];
    // A view without indexes: the program of this node asks what the store has, and finds none.
    const plain = b.engine.view({ prefix: "r:", key: "utf8", value: "json" });
    await plain.put("1", { m: ["x"] });
    const rows = rowsOf(b.engine);
    await b.follow();
    await log.bring(a);
    a.lead(log.commit);
    await rowsOf(a.engine).ready();
    await a.follow();
    await log.bring(b);
    b.lead(log.commit);
    await rows.put("2", { m: ["y"] });
    await plain.put("3", { m: ["z"] });
    expect((await verifyIndexEntries(b.engine)).problems).toEqual([]);
    expect((await rows.verifyIndexes()).problems).toEqual([]);
    await a.engine.close();
    await b.engine.close();
  });

  it("are built on by the next node that leads, and a build is no write of a follower", async () => {
    const log = new MemoryLog();
    const [a, b] = [await leader(log), await replicaOn(new SimDisk())];
    for (let i = 0; i < 600; i++) await a.engine.put(`r:${i}`, JSON.stringify({ m: ["x"] }));
    let records = 0;
    log.before = ({ firstLsn }) => {
      if (firstLsn > 600 && ++records === 3)
        throw new KayaError("KAYA_FENCED", "another node claimed the log");
    };
    await rejection("KAYA_FENCED", rowsOf(a.engine).ready());
    log.before = () => undefined;
    await a.follow();
    await rejection("KAYA_NOT_LEADER", rowsOf(a.engine).ready());
    await log.bring(b);
    const rows = rowsOf(b.engine);
    b.lead(log.commit);
    // Nobody asks for the index: it is built because the program declares it.
    for (let i = 0; i < 1000 && (await verifyIndexEntries(b.engine)).problems.length > 0; i++)
      await nextTurn();
    await b.engine.sync();
    const { indexes } = await verifyIndexEntries(b.engine);
    expect(indexes.filter(({ name }) => name === "m")).toMatchObject([{ state: "ready", entries: 600 }]);
    expect((await rows.verifyIndexes()).problems).toEqual([]);
    await a.engine.close();
    await b.engine.close();
  });
});

describe("change feeds of replicas", () => {
  it("have tokens that any node takes, and wait where a node has less", async () => {
    const log = new MemoryLog();
    const [a, b] = [await leader(log), await replicaOn(new SimDisk())];
    const feed = a.engine.changes();
    for (const key of ["1", "2", "3"]) await a.engine.put(key, key);
    const tokens: string[] = [];
    for (let i = 0; i < 3; i++) tokens.push((await feed.next()).value?.token ?? "");
    await feed.return();
    expect(tokens).toEqual([1, 2, 3].map((lsn) => `${LOG_ID}-${lsn}`));
    const second = b.engine.changes({ since: tokens[1] as string });
    const ahead = b.engine.changes({ since: tokens[2] as string });
    const [afterTwo, afterThree] = [second.next(), ahead.next()];
    await log.bring(b);
    expect((await afterTwo).value).toMatchObject({ lsn: 3, token: tokens[2] });
    await a.engine.put("4", "4");
    await log.bring(b);
    expect((await afterThree).value).toMatchObject({ lsn: 4 });
    await second.return();
    await ahead.return();
    expect(await b.engine.changesToken()).toBe(`${LOG_ID}-4`);
    await a.engine.close();
    await b.engine.close();
  });

  it("keep the log for a consumer that came from another node, ahead of what is here", async () => {
    const log = new MemoryLog();
    const [a, b] = [await leader(log), await replicaOn(new SimDisk())];
    for (const key of ["1", "2", "3"]) await a.engine.put(key, key);
    const { token } = await b.engine.addConsumer("search", { since: `${LOG_ID}-2` });
    expect(token).toBe(`${LOG_ID}-2`);
    await log.bring(b);
    await b.engine.flush();
    const feed = b.engine.changes({ consumer: "search" });
    expect((await feed.next()).value).toMatchObject({ lsn: 3 });
    await feed.return();
    await a.engine.close();
    await b.engine.close();
  });
});

describe("openReplica", () => {
  it("refuses options that are none, and changes nothing", async () => {
    const disk = new SimDisk();
    const good = {
      logId: LOG_ID,
      logName: "x",
      maxBatchBytes: 40,
      refusal: () => new KayaError("KAYA_NOT_LEADER", ""),
    };
    for (const wrong of [
      undefined,
      {},
      { ...good, logId: "x" },
      { ...good, logName: "" },
      { ...good, logName: "two\nlines" },
      { ...good, maxBatchBytes: 39 },
      { ...good, refusal: "no" },
      { ...good, adopt: 1 },
      { ...good, unknown: 1 },
    ])
      await rejection("KAYA_INVALID_ARGUMENT", openReplica({}, disk, wrong as ReplicaOptions));
    await rejection("KAYA_INVALID_ARGUMENT", openReplica({ readOnly: true }, disk, good));
    expect(await disk.list("")).toEqual([]);
    const replica = await openReplica({}, disk, good);
    await rejection("KAYA_LOCK_CONFLICT", openReplica({}, disk, good));
    await rejection("KAYA_LOCK_CONFLICT", Engine.open({}, disk));
    await replica.engine.close();
  });
});
