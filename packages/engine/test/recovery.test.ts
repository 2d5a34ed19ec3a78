import { type Disk, NodeDisk, SimDisk } from "@kaya/io";
import { WalWriter } from "@kaya/wal";
import fc from "fast-check";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type DurabilityMode, Engine, KayaError, recover } from "../src/index.js";
import { InterceptedDisk } from "./support/intercepted-disk.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { bytes, entriesOf, keysOf, rejection, text } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const SEGMENTS = { wal: { segmentMaxBytes: 512, maxRecordBytes: 400, maxBatchBytes: 256 } };

type Operation =
  | { readonly do: "put"; readonly key: string; readonly value: string; readonly durability: DurabilityMode }
  | { readonly do: "delete"; readonly key: string }
  | { readonly do: "batch"; readonly changes: readonly (readonly [key: string, value: string | undefined])[] }
  | { readonly do: "clear"; readonly from: string; readonly limit: number }
  | { readonly do: "reopen" };

const key = fc
  .array(fc.constantFrom("\x00", "a", "b", "\xff"), { maxLength: 3 })
  .map((letters) => letters.join(""));
const value = fc.string({ maxLength: 60, unit: "binary-ascii" });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      key,
      value,
      durability: fc.constantFrom<DurabilityMode[]>("strict", "relaxed"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("batch" as const),
      changes: fc.array(
        fc.tuple(key, fc.option(fc.string({ maxLength: 20, unit: "binary-ascii" }), { nil: undefined })),
        { minLength: 1, maxLength: 5 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear" as const), from: key, limit: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.constant({ do: "reopen" as const }) },
);

function applyToModel(model: Map<string, string>, step: Operation): void {
  if (step.do === "put") model.set(step.key, step.value);
  if (step.do === "delete") model.delete(step.key);
  if (step.do === "batch") {
    for (const [name, content] of step.changes) {
      if (content === undefined) model.delete(name);
      else model.set(name, content);
    }
  }
  if (step.do === "clear") {
    const keys = [...model.keys()].filter((name) => name >= step.from).sort((a, b) => (a < b ? -1 : 1));
    for (const name of keys.slice(0, step.limit)) model.delete(name);
  }
}

function applyToEngine(engine: Engine, step: Exclude<Operation, { do: "reopen" }>): Promise<unknown> {
  switch (step.do) {
    case "put":
      return engine.put(bytes(step.key), bytes(step.value), { durability: step.durability });
    case "delete":
      return engine.delete(bytes(step.key));
    case "clear":
      return engine.clear({ gte: bytes(step.from), limit: step.limit });
    case "batch":
      return engine.batch(
        step.changes.map(([name, content]) =>
          content === undefined
            ? { type: "delete", key: bytes(name) }
            : { type: "put", key: bytes(name), value: bytes(content) },
        ),
      );
  }
}

describe.each([
  ["SimDisk", 60, async () => new SimDisk()],
  ["NodeDisk", 12, async () => new NodeDisk(await directories.make())],
] as const)("reopening on %s", (_name, numRuns, makeDisk) => {
  it("gives the same data as a Map that saw the same operations, however often and after whatever", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (steps) => {
        const disk: Disk = await makeDisk();
        const model = new Map<string, string>();
        let engine = await Engine.open(SEGMENTS, disk);
        let writes: Promise<unknown>[] = [];
        const compare = async () => {
          await Promise.all(writes);
          writes = [];
          expect(await entriesOf(engine.scan())).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)));
        };
        for (const step of [...steps, { do: "reopen" } as const]) {
          applyToModel(model, step);
          if (step.do === "reopen") {
            await compare();
            const { lastLsn, lastSequence } = engine.stats();
            await engine.close();
            engine = await Engine.open(SEGMENTS, disk);
            expect(engine.stats()).toMatchObject({ lastLsn, lastSequence, durableLsn: lastLsn });
            await compare();
          } else {
            writes.push(applyToEngine(engine, step));
          }
        }
        await engine.close();
      }),
      { numRuns },
    );
  });
});

/** Three segments with a few records each, closed cleanly. */
async function threeSegments(): Promise<SimDisk> {
  const disk = new SimDisk();
  const engine = await Engine.open({ wal: { segmentMaxBytes: 200, maxRecordBytes: 200 } }, disk);
  for (const name of ["a", "b", "c", "d", "e", "f"]) await engine.put(name, "x".repeat(30));
  expect(engine.stats().wal.segments).toBe(3);
  await engine.close();
  return disk;
}

const segment = (id: number) => `wal/000000000000000${id}.wal`;

const contents = (disk: SimDisk) => [1, 2, 3].map((id) => disk.readFile(segment(id)));

const RECORD = 40 + 8 + 1 + 30;

describe("lastRecovery", () => {
  it("says what was found in a log that was closed cleanly, and in no log at all", async () => {
    const disk = await threeSegments();
    const engine = await Engine.open({}, disk);
    expect(engine.lastRecovery).toMatchObject({
      dryRun: false,
      recordCount: 6,
      firstLsn: 1,
      lastLsn: 6,
      lastSequence: 6,
      segments: 3,
      validBytes: 6 * RECORD,
      truncatedBytes: 0,
      quarantined: [],
      warnings: [],
      records: [],
    });
    expect(engine.lastRecovery.durationMs).toBeGreaterThanOrEqual(0);
    await engine.close();
    const fresh = await Engine.open({}, new SimDisk());
    expect(fresh.lastRecovery).toMatchObject({ recordCount: 0, segments: 0, validBytes: 0, warnings: [] });
    expect(fresh.lastRecovery.firstLsn).toBe(undefined);
    await fresh.close();
  });

  it("says what was cut from a torn tail, and the next one finds nothing to cut", async () => {
    const disk = await threeSegments();
    const tail = disk.readFile(segment(3)) as Uint8Array;
    disk.writeFile(segment(3), Buffer.concat([tail, tail.subarray(0, RECORD - 7)]));
    const engine = await Engine.open({}, disk);
    expect(await keysOf(engine.scan())).toEqual(["a", "b", "c", "d", "e", "f"]);
    expect(engine.lastRecovery).toMatchObject({
      recordCount: 6,
      lastLsn: 6,
      truncatedBytes: RECORD - 7,
      quarantined: [],
    });
    expect(engine.lastRecovery.warnings.map(({ kind }) => kind)).toEqual(["PartialPayload", "TailTruncated"]);
    expect(await engine.put("next", "x")).toMatchObject({ lsn: 7, sequence: 7 });
    await engine.close();
    const again = await Engine.open({}, disk);
    expect(again.lastRecovery).toMatchObject({ recordCount: 7, truncatedBytes: 0, warnings: [] });
    await again.close();
  });

  it("tells of progress in a long log", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({ durability: "relaxed", tables: { autoFlush: false } }, disk);
    const writes = Array.from({ length: 3 }, (_, i) => engine.put(`${i}`, new Uint8Array(1024 * 1024)));
    await Promise.all(writes);
    await engine.close();
    const seen: number[] = [];
    await (await Engine.open({}, disk, { onProgress: ({ records }) => seen.push(records) })).close();
    expect(seen.length).toBeGreaterThanOrEqual(3);
    expect(seen.at(-1)).toBe(3);
  });
});

describe("recover", () => {
  it("brings a torn log in order without an engine, and takes the lock for it", async () => {
    const disk = await threeSegments();
    const tail = disk.readFile(segment(3)) as Uint8Array;
    disk.writeFile(segment(3), Buffer.concat([tail, tail.subarray(0, 5)]));
    const report = await recover({}, disk);
    expect(report).toMatchObject({ dryRun: false, recordCount: 6, truncatedBytes: 5, records: [] });
    expect(disk.readFile(segment(3))?.length).toBe(2 * RECORD);
    const engine = await Engine.open({}, disk);
    await rejection("KAYA_LOCK_CONFLICT", recover({}, disk));
    await engine.close();
  });

  it("only says what it would do in a dry run: no lock, no change, on a directory that is absent too", async () => {
    const disk = await threeSegments();
    const tail = disk.readFile(segment(3)) as Uint8Array;
    disk.writeFile(segment(3), Buffer.concat([tail, tail.subarray(0, 5)]));
    const before = contents(disk);
    const events = disk.events.length;
    expect(await recover({}, disk, { dryRun: true })).toMatchObject({
      dryRun: true,
      recordCount: 6,
      truncatedBytes: 5,
    });
    expect(contents(disk)).toEqual(before);
    const since = disk.events.slice(events);
    expect(since.some(({ kind, index }) => index !== undefined || kind === "lock")).toBe(false);

    const absent = `${await directories.make()}/absent`;
    expect(await recover({ dataDir: absent }, undefined, { dryRun: true })).toMatchObject({
      recordCount: 0,
      segments: 0,
    });
    expect(await new NodeDisk(absent).list("")).toEqual([]);
  });

  it("works as a dry run while an engine has the directory open", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await engine.put("a", "1");
    await engine.put("b", "1", { durability: "relaxed" });
    expect(await recover({}, disk, { dryRun: true })).toMatchObject({ recordCount: 2, truncatedBytes: 0 });
    await engine.put("c", "1");
    await engine.close();
  });
});

describe("an opening after a clean closing", () => {
  it("writes no manifest anew, and no log's tail: what it reads is known to be durable", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await engine.put(bytes("key"), bytes("value"));
    await engine.flush();
    await engine.close();
    const [manifests, before] = [await disk.list("manifest"), disk.nextOperation];
    const again = await Engine.open({}, disk);
    const written = disk.events.filter(
      ({ index, kind, path }) => (index ?? 0) >= before && path !== "LOCK" && kind !== "sync",
    );
    expect(written.filter(({ kind }) => kind === "append" || kind === "rename")).toEqual([]);
    expect(await disk.list("manifest")).toEqual(manifests);
    expect(text(await again.get(bytes("key")))).toBe("value");
    await again.close();
  });
});

describe("damage", () => {
  it("in a segment that is not the last refuses with file and offset, and changes nothing", async () => {
    const disk = await threeSegments();
    disk.flipBit(segment(2), RECORD + 50, 3);
    const before = contents(disk);
    const events = disk.events.length;
    for (const attempt of [
      () => Engine.open({}, disk),
      () => recover({}, disk),
      () => recover({}, disk, { dryRun: true }),
    ]) {
      const { message } = await rejection("KAYA_CORRUPTION", attempt());
      expect(message).toContain(segment(2));
      expect(message).toContain(`offset ${RECORD}`);
      expect(message).toContain("Nothing was changed");
      expect(message).toContain('recovery: "prefix"');
      expect(message).toContain("backup");
    }
    expect(contents(disk)).toEqual(before);
    expect(disk.events.slice(events).filter(({ index }) => index !== undefined)).toEqual([]);
  });

  it('opens with recovery: "prefix", keeps the rest in quarantine, and goes on from there', async () => {
    const disk = await threeSegments();
    disk.flipBit(segment(2), RECORD + 50, 3);
    const engine = await Engine.open({ wal: { recovery: "prefix" } }, disk);
    expect(await keysOf(engine.scan())).toEqual(["a", "b", "c"]);
    expect(engine.lastRecovery.truncatedBytes).toBe(3 * RECORD);
    expect(engine.lastRecovery.quarantined.length).toBe(2);
    const kept = engine.lastRecovery.quarantined.map((path) => disk.readFile(path)?.length);
    expect(new Set(kept)).toEqual(new Set([RECORD, 2 * RECORD]));
    await engine.put("after", "1");
    await engine.close();
    disk.crash();
    const again = await Engine.open({}, disk);
    expect(await keysOf(again.scan())).toEqual(["a", "after", "b", "c"]);
    expect(again.lastRecovery.warnings).toEqual([]);
    await again.close();
  });

  it("refuses a read error instead of taking it for the end of the log", async () => {
    const disk = await threeSegments();

    const failing = new InterceptedDisk(disk, ({ kind, path }) =>
      kind === "readAt" && path === segment(3) ? Promise.reject(new KayaError("KAYA_IO", "EIO")) : undefined,
    );
    const before = contents(disk);
    await rejection("KAYA_IO", Engine.open({}, failing));
    expect(contents(disk)).toEqual(before);
    const engine = await Engine.open({}, disk);
    expect(engine.stats().entries).toBe(6);
    await engine.close();
  });

  it("of records that are larger than maxRecordBytes is none: it says to raise the limit", async () => {
    const disk = await threeSegments();
    const small = { wal: { maxRecordBytes: RECORD - 1 } };
    const error = await rejection("KAYA_INVALID_ARGUMENT", Engine.open(small, disk));
    expect(error.message).toContain("raise maxRecordBytes");
    await (await Engine.open({}, disk)).close();
  });
});

describe("after a failed fsync the engine", () => {
  async function failed(): Promise<{ disk: SimDisk; engine: Engine; error: KayaError }> {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await engine.put("before", "1");
    await engine.put("relaxed", "1", { durability: "relaxed" });
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    const error = await rejection("KAYA_FSYNC_FAILED", engine.put("uncertain", "1"));
    return { disk, engine, error };
  }

  it("is failed, says why, reads on, and rejects every write with the first failure as its cause", async () => {
    const { disk, engine, error } = await failed();
    expect(engine.state).toBe("failed");
    expect(engine.failure).toBe(error);
    expect(engine.stats().state).toBe("failed");
    expect(await keysOf(engine.scan())).toEqual(["before", "relaxed"]);
    expect(text(await engine.get("before"))).toBe("1");
    expect(engine.snapshot().getSync("uncertain")).toBe(undefined);
    const events = disk.events.length;
    for (const write of [
      engine.put("a", "1"),
      engine.put("a", "1", { durability: "relaxed" }),
      engine.delete("before"),
      engine.batch([{ type: "delete", key: "before" }]),
      engine.clear(),
      engine.sync(),
      engine.ready(),
    ]) {
      const rejected = await rejection("KAYA_WRITER_FAILED", write);
      expect(rejected.cause).toBe(error);
      expect(rejected.message).toContain("open it again");
    }
    expect(disk.events.length).toBe(events);
    expect(await keysOf(engine.scan())).toEqual(["before", "relaxed"]);
    await engine.close().catch(() => undefined);
  });

  it("lets go of the lock on close, and tells that a relaxed write may be lost", async () => {
    const { disk, engine } = await failed();
    await rejection("KAYA_WRITER_FAILED", engine.close());
    expect(engine.state).toBe("closed");
    const reopened = await Engine.open({}, disk);
    expect(reopened.state).toBe("open");
    await reopened.close();
  });

  it("closes without a complaint where nothing that was acknowledged is in doubt", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await engine.put("before", "1");
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    await rejection("KAYA_FSYNC_FAILED", engine.put("uncertain", "1"));
    await engine.close();
  });

  // R5: the bytes read back, fsync succeeds, and the disk does not have them.
  it("reopens in the same boot with what reads back made durable, so that later writes leave no hole", async () => {
    const { disk, engine } = await failed();
    await engine.close().catch(() => undefined);
    const reopened = await Engine.open({}, disk);
    const found = await keysOf(reopened.scan());
    expect(found).toEqual(["before", "relaxed", "uncertain"]);
    await reopened.put("after", "1");
    disk.crash();
    const again = await Engine.open({}, disk);
    expect(await keysOf(again.scan())).toEqual(["after", ...found]);
    await again.close();
  });
});

describe("a clean end that somebody wrote behind without the lock", () => {
  // The one in between leaves a record in the page cache that the disk does not have, and a lock that says "clean".
  const between: Readonly<Record<string, (disk: SimDisk) => Promise<{ close(): Promise<void> }>>> = {
    "an engine without locking": async (disk) => {
      const engine = await Engine.open({ disableLocking: true }, disk);
      disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
      await expect(engine.put("b", "2")).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
      return engine;
    },
    "a bare writer of the log": async (disk) => {
      const writer = await WalWriter.open({}, disk);
      disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
      const operation = { type: "put", key: bytes("b"), value: bytes("2") } as const;
      await expect(writer.append(operation)).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
      return writer;
    },
  };
  it.each(Object.entries(between))(
    "is not trusted after %s: nothing acknowledged later is lost",
    async (_, use) => {
      const disk = new SimDisk();
      const first = await Engine.open({}, disk);
      await first.put("a", "1");
      await first.close();
      await (await use(disk)).close();
      const last = await Engine.open({}, disk);
      await last.put("c", "3");
      disk.crash();
      const engine = await Engine.open({}, disk);
      expect(await keysOf(engine.scan())).toEqual(expect.arrayContaining(["a", "c"]));
      await engine.close();
    },
  );
});

describe("on a full disk the engine", () => {
  it("rejects what does not fit, stays open, and gives the same LSN to the next write", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await engine.put("a", "1");
    disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 20 });
    const queued = [engine.put("b", "1"), engine.put("c", "1", { durability: "relaxed" })];
    for (const write of queued) await rejection("KAYA_DISK_FULL", write);
    expect(engine.state).toBe("open");
    expect(await keysOf(engine.scan())).toEqual(["a"]);
    expect(await engine.put("d", "1")).toEqual({ lsn: 2, sequence: 2, durable: true });
    disk.crash({ survive: "everything" });
    const reopened = await Engine.open({}, disk);
    expect(await keysOf(reopened.scan())).toEqual(["a", "d"]);
    await reopened.close();
  });

  it("rejects a clear that does not fit in whole or in part, and what stayed is still there", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open(
      { wal: { maxRecordBytes: 100, segmentMaxBytes: 10_000, maxBatchBytes: 100 } },
      disk,
    );
    const keys = Array.from({ length: 20 }, (_, i) => `key ${10 + i}`);
    for (const name of keys) await engine.put(name, "x");
    disk.addFault({ at: disk.nextOperation + 2, kind: "disk-full" });
    await rejection("KAYA_DISK_FULL", engine.clear({ limit: 20 }));
    const left = await keysOf(engine.scan());
    expect(left.length).toBeGreaterThan(0);
    expect(left).toEqual(keys.slice(keys.length - left.length));
    await engine.close();
    const reopened = await Engine.open({}, disk);
    expect(await keysOf(reopened.scan())).toEqual(left);
    await reopened.close();
  });
});
