import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type BatchCondition, type BatchOperation, Engine, KayaError } from "../src/index.js";
import { holdUp } from "./support/intercepted-disk.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { entriesOf, keysOf, text } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const put = (key: string, value: string): BatchOperation => ({ type: "put", key, value });
const absent = (key: string): BatchCondition => ({ key, sequence: undefined });

function thrown(run: () => unknown): KayaError {
  try {
    run();
  } catch (error) {
    if (KayaError.is(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("putSync, deleteSync, batchSync", () => {
  it("are all that a script needs", async () => {
    const dataDir = await directories.make();
    const db = await Engine.open({ dataDir });
    db.putSync("a", "1");
    await db.close();
    const again = await Engine.open({ dataDir });
    expect(text(again.getSync("a"))).toBe("1");
    expect(again.lastRecovery).toMatchObject({ recordCount: 1, warnings: [] });
    await again.close();
  });

  it("give what their twins give, and are read and durable when they return", async () => {
    const disk = new SimDisk();
    const db = await Engine.open({}, disk);
    expect(db.putSync("a", "1")).toEqual({ lsn: 1, sequence: 1, durable: true });
    expect(text(db.getSync("a"))).toBe("1");
    expect(db.batchSync([put("b", "2"), { type: "delete", key: "a" }])).toEqual({
      lsn: 2,
      sequence: 2,
      durable: true,
    });
    expect(db.deleteSync("none", { durability: "relaxed" })).toEqual({ lsn: 3, sequence: 4, durable: false });
    expect(db.putSync("c", "3", { durability: "strict" }).durable).toBe(true);
    disk.crash();
    const again = await Engine.open({}, disk);
    expect(await entriesOf(again.scan())).toEqual([
      ["b", "2"],
      ["c", "3"],
    ]);
    await again.close();
  });

  it("come behind the writes that were called before them, whose promises settle a moment later", async () => {
    const db = await Engine.open({}, new SimDisk());
    const order: string[] = [];
    const earlier = db.put("k", "earlier").then(({ lsn }) => order.push(`put ${lsn}`));
    order.push(`putSync ${db.putSync("k", "now").lsn}`);
    expect(text(db.getSync("k"))).toBe("now");
    await earlier;
    expect(order).toEqual(["putSync 2", "put 1"]);
    await db.close();
  });

  it("follow an awaited write of any size at once", async () => {
    const db = await Engine.open({ dataDir: await directories.make() });
    for (let round = 0; round < 5; round++) {
      await db.put("k", `${round}`, { durability: round % 2 === 0 ? "strict" : "relaxed" });
      db.putSync("a", `${round}`);
      await db.batch(Array.from({ length: 3000 }, (_, i) => put(`${i}`, "x".repeat(50))));
      db.putSync("b", `${round}`);
      await Promise.all([db.put("large", "x".repeat(200_000)), db.put("c", "1", { durability: "relaxed" })]);
      db.deleteSync("c");
    }
    expect([text(db.getSync("a")), text(db.getSync("b")), db.getSync("c")]).toEqual(["4", "4", undefined]);
    await db.close();
  });

  it("apply a large batch whole, at once", async () => {
    const db = await Engine.open({}, new SimDisk());
    const count = 20_000;
    db.batchSync(Array.from({ length: count }, (_, i) => put(`key ${i}`, `${i}`)));
    expect([text(db.getSync("key 0")), text(db.getSync(`key ${count - 1}`))]).toEqual(["0", `${count - 1}`]);
    await db.close();
  });

  it("take a value of 16 MiB, and refuse what their twins refuse, in their words", async () => {
    const db = await Engine.open({ dataDir: await directories.make() });
    expect(db.putSync("large", Buffer.alloc(16 * 2 ** 20)).durable).toBe(true);
    const wrong: [string, () => unknown, () => Promise<unknown>][] = [
      [
        "a value",
        () => db.putSync("k", Buffer.alloc(16 * 2 ** 20 + 1)),
        () => db.put("k", Buffer.alloc(16 * 2 ** 20 + 1)),
      ],
      ["a key", () => db.putSync(1 as never, ""), () => db.put(1 as never, "")],
      [
        "an option",
        () => db.putSync("k", "", { durable: true } as never),
        () => db.put("k", "", { durable: true } as never),
      ],
      [
        "a mode",
        () => db.deleteSync("k", { durability: "no" as never }),
        () => db.delete("k", { durability: "no" as never }),
      ],
      ["operations", () => db.batchSync("no" as never), () => db.batch("no" as never)],
      [
        "conditions of a put",
        () => db.putSync("k", "", { conditions: [] } as never),
        () => db.put("k", "", { conditions: [] } as never),
      ],
    ];
    for (const [what, now, later] of wrong) {
      const error = thrown(now);
      expect(await later().catch((reason: unknown) => reason), what).toMatchObject({
        code: error.code,
        message: error.message,
      });
    }
    await db.close();
    expect(thrown(() => db.putSync("k", "")).code).toBe("KAYA_CLOSED");
  });

  it("an empty batch writes no record; strict, it makes all before it durable", async () => {
    const disk = new SimDisk();
    const db = await Engine.open({}, disk);
    expect(db.batchSync([])).toEqual({ lsn: 0, sequence: 0, durable: true });
    db.putSync("a", "1", { durability: "relaxed" });
    expect(db.batchSync([], { durability: "relaxed" })).toEqual({ lsn: 1, sequence: 1, durable: false });
    expect(db.batchSync([])).toEqual({ lsn: 1, sequence: 1, durable: true });
    disk.crash();
    const again = await Engine.open({}, disk);
    expect(text(again.getSync("a"))).toBe("1");
    await again.close();
  });

  it("are refused by an engine that only looks, and by one that failed", async () => {
    const disk = new SimDisk();
    const db = await Engine.open({}, disk);
    db.putSync("a", "1");
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    expect(thrown(() => db.putSync("b", "2")).code).toBe("KAYA_FSYNC_FAILED");
    expect(thrown(() => db.batchSync([put("c", "3")], { conditions: [absent("c")] })).code).toBe(
      "KAYA_WRITER_FAILED",
    );
    expect(thrown(() => db.batchSync([])).code).toBe("KAYA_WRITER_FAILED");
    expect(db.getSync("b")).toBeUndefined();
    const looking = await Engine.open({ readOnly: true }, disk);
    expect(thrown(() => looking.putSync("b", "2")).code).toBe("KAYA_READ_ONLY");
    await Promise.allSettled([looking.close(), db.close()]);
  });
});

describe("conditions of batchSync", () => {
  it("see what was called before, which is written even where they do not hold", async () => {
    const db = await Engine.open({}, new SimDisk());
    const earlier = db.put("k", "earlier");
    const conflict = thrown(() => db.batchSync([put("k", "mine")], { conditions: [absent("k")] }));
    expect([conflict.code, text(conflict.key)]).toEqual(["KAYA_CONFLICT", "k"]);
    const entry = db.getEntrySync("k");
    expect([text(entry.value), entry.sequence]).toEqual(["earlier", 1]);
    expect(db.batchSync([put("k", "mine")], { conditions: [entry, absent("other")] }).lsn).toBe(2);
    expect((await earlier).lsn).toBe(1);
    expect(text(db.getSync("k"))).toBe("mine");
    await db.close();
  });

  it("read keys of tables, in memory or not", async () => {
    const dataDir = await directories.make();
    const db = await Engine.open({ dataDir });
    for (let i = 0; i < 100; i++) db.putSync(`${i}`, `${i}`, { durability: "relaxed" });
    await db.close();
    const again = await Engine.open({ dataDir });
    await again.flush();
    expect(thrown(() => again.batchSync([put("x", "")], { conditions: [absent("50")] })).code).toBe(
      "KAYA_CONFLICT",
    );
    const entry = again.getEntrySync("50");
    expect(entry.sequence).toBe(51);
    again.batchSync([{ type: "delete", key: "50" }], { conditions: [entry, absent("x")] });
    expect(thrown(() => again.batchSync([], { conditions: [entry] })).code).toBe("KAYA_CONFLICT");
    await again.close();
  });
});

describe("KAYA_BUSY", () => {
  const TINY = {
    memory: { memtableBytes: 64 * 1024 },
    wal: { segmentMaxBytes: 32 * 1024, maxRecordBytes: 32 * 1024 },
  };

  it("ends a loop that never lets a flush run, when memory is used up; `flush` makes room", async () => {
    const db = await Engine.open(TINY, new SimDisk());
    let written = 0;
    const fill = () => {
      for (;;) {
        db.putSync(`key ${written}`, "x".repeat(500));
        written++;
      }
    };
    for (let round = 0; round < 3; round++) {
      const before = written;
      const error = thrown(fill);
      expect([error.code, error.message]).toEqual(["KAYA_BUSY", expect.stringContaining("await db.flush()")]);
      expect(written - before).toBeGreaterThan(50);
      expect(db.stats().memtable.bytes).toBeLessThan(96 * 1024);
      await db.flush();
    }
    expect(await db.count()).toBe(written);
    await db.close();
  });

  it("is not met by a program that lets the event loop go round, whatever flushes and rotations run beside it", async () => {
    const db = await Engine.open({ ...TINY, dataDir: await directories.make() });
    for (let i = 0; i < 1500; i++) {
      db.putSync(`key ${i % 700}`, "x".repeat(100), { durability: i % 4 === 0 ? "strict" : "relaxed" });
      if (i % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
      if (i % 250 === 249) await db.flush();
    }
    const { flush, wal } = db.stats();
    expect([flush.finished > 1, wal.rotations > 2, await db.count()]).toEqual([true, true, 700]);
    await db.close();
  });

  it("is told while a large write is on its way in another thread; after `sync` it is not", async () => {
    const { disk, release, held } = holdUp(
      new SimDisk(),
      ({ kind, path }) => kind === "append" && path.endsWith(".wal"),
    );
    const db = await Engine.open({}, disk);
    const write = db.put("large", "x".repeat(100_000));
    await held;
    const error = thrown(() => db.putSync("k", "1"));
    expect([error.code, error.message]).toEqual([
      "KAYA_BUSY",
      expect.stringContaining("a batch is being written"),
    ]);
    expect(db.getSync("k")).toBeUndefined();
    release();
    await db.sync();
    expect([db.putSync("k", "1").lsn, (await write).lsn]).toEqual([2, 1]);
    await db.close();
  });
});

describe("on a real disk", () => {
  it("concludes a put whose fsync another thread is making", async () => {
    const db = await Engine.open({ dataDir: await directories.make() });
    db.putSync("first", "1");
    let sync = 0;
    for (let i = 0; i < 200; i++) {
      const earlier = db.put(`put ${i}`, "1");
      for (let turns = i % 5; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      try {
        sync = db.putSync(`sync ${i}`, "1").lsn;
      } catch (error) {
        if (!KayaError.is(error, "KAYA_BUSY")) throw error;
      }
      await earlier;
    }
    const { lastLsn, durableLsn } = db.stats();
    expect(sync).toBeGreaterThan(300);
    expect(durableLsn).toBe(lastLsn);
    expect(await db.count()).toBe(lastLsn);
    await db.close();
  });

  it("can be used when the process ends", async () => {
    const dataDir = await directories.make();
    const script = `import { Engine } from "@kaya/engine";
      const db = await Engine.open({ dataDir: process.argv[1] });
      await db.put("begun", "1");
      process.on("exit", () => db.putSync("ended", "1"));`;
    const cwd = fileURLToPath(new URL(".", import.meta.url));
    execFileSync(process.execPath, ["--input-type=module", "-e", script, dataDir], { cwd });
    const db = await Engine.open({ dataDir });
    expect(await entriesOf(db.scan())).toEqual([
      ["begun", "1"],
      ["ended", "1"],
    ]);
    await db.close();
  });

  it("loses nothing that putSync or batchSync returned for, when the process is killed", async () => {
    const dataDir = await directories.make();
    const acknowledged: string[] = [];
    for (let round = 0; round < 6; round++) {
      const writer = spawn(
        process.execPath,
        [fileURLToPath(new URL("support/sync-writer.mjs", import.meta.url)), dataDir, `round${round}`],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      let output = "";
      const enough = 40 + 90 * round;
      writer.stdout.on("data", (chunk) => {
        output += String(chunk);
        if (output.split("\n").length > enough) writer.kill("SIGKILL");
      });
      const [, signal] = await once(writer, "close");
      expect(signal).toBe("SIGKILL");
      acknowledged.push(
        ...output
          .split("\n")
          .slice(0, -1)
          .flatMap((line) => line.split(" ")),
      );
      const db = await Engine.open({ dataDir });
      for (const key of acknowledged) {
        const value = key.replace(/-[ab]$/, "").padEnd(100, ".");
        expect(text(db.getSync(key)), `${key} after round ${round}`).toBe(value);
      }
      const halves = await keysOf(db.scan());
      for (const key of halves.filter((each) => /-[ab]$/.test(each)))
        expect(halves).toContain(key.endsWith("a") ? key.replace(/a$/, "b") : key.replace(/b$/, "a"));
      await db.close();
    }
    expect(acknowledged.length).toBeGreaterThan(1000);
  });
});
