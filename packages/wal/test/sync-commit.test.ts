import { renameSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KayaError } from "@kaya/core";
import { type FailedSyncOutcome, NodeDisk, SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it } from "vitest";
import { fsyncChannel } from "../src/channels.js";
import { recoverWal, type WalRecord, WalWriter, type WalWriterOptions } from "../src/index.js";
import {
  batch,
  bytes,
  fill,
  mutationsOf,
  noop,
  outcome,
  PassingDisk,
  plain,
  put,
  SMALL,
  segmentPath,
  settle,
} from "./support.js";

const LOG = segmentPath(1);

interface Opened {
  readonly disk: SimDisk;
  readonly writer: WalWriter;
  /** What was applied, as text. */
  readonly applied: string[];
}

async function opened(disk = new SimDisk(), config = {}, options: WalWriterOptions = {}): Promise<Opened> {
  const applied: string[] = [];
  const onCommit = (record: WalRecord) => void applied.push(...plain([record]));
  const writer = await WalWriter.open(config, disk, { onCommit, onCommitSync: onCommit, ...options });
  return { disk, writer, applied };
}

/** The same with a first record in it, so that only writes and syncs are left to count. */
async function begun(disk = new SimDisk(), config = {}, options: WalWriterOptions = {}): Promise<Opened> {
  const log = await opened(disk, config, options);
  await log.writer.append(noop);
  log.applied.length = 0;
  return log;
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return KayaError.is(error) ? error.code : String(error);
  }
  return "nothing was thrown";
}

/** Lets a drain loop get as far as it can without its disk. */
async function microtasks(count = 30): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

async function recovered(disk: SimDisk): Promise<string[]> {
  const records: string[] = [];
  await recoverWal({}, disk, { onRecord: (record) => void records.push(...plain([record])) });
  return records;
}

describe("appendSync", () => {
  it("creates the log, and what it returned for is on stable storage and applied", async () => {
    const { disk, writer, applied } = await opened(new SimDisk(), {}, { identified: true });
    expect(writer.appendSync(put("a"))).toEqual({
      lsn: 1,
      sequence: 1,
      segmentId: 1,
      offset: 0,
      encodedLength: 59,
      durable: true,
    });
    expect(applied).toEqual(["1/1 put a=value of a"]);
    expect(writer.history?.id).toMatch(/^[0-9a-f]{16}$/);
    disk.crash();
    expect(await recovered(disk)).toEqual(["1/1 put a=value of a"]);
    expect((await WalWriter.open({}, disk)).history?.id).toBe(writer.history?.id);
  });

  it("does on the disk what append does, operation by operation", async () => {
    const modes = ["strict", "relaxed", "strict", "relaxed", "relaxed", "strict"] as const;
    const payload = (n: number) =>
      n % 2 === 0 ? put(`${n}`, fill(400)) : batch(put("x", fill(300)), put("y"));
    const [one, two] = [await opened(new SimDisk(), SMALL), await opened(new SimDisk(), SMALL)];
    const results = [];
    for (const [n, mode] of modes.entries()) results.push(await one.writer.append(payload(n), mode));
    expect(modes.map((mode, n) => two.writer.appendSync(payload(n), mode))).toEqual(results);
    const changes = ({ disk }: Opened) => mutationsOf(disk, 0);
    expect(changes(two)).toEqual(changes(one));
    expect(two.applied).toEqual(one.applied);
    await Promise.all([one.writer.close(), two.writer.close()]);
    expect(await recovered(two.disk)).toEqual(await recovered(one.disk));
  });

  it("relaxed, it makes no fsync; settleSync with `durable` makes one, and only where there is something to sync", async () => {
    const { disk, writer } = await begun();
    const from = disk.nextOperation;
    expect(writer.appendSync(put("a"), "relaxed").durable).toBe(false);
    writer.settleSync();
    expect(mutationsOf(disk, from)).toEqual([`append ${LOG}`]);
    expect(writer.isClean).toBe(false);
    writer.settleSync({ durable: true });
    writer.settleSync({ durable: true });
    expect(mutationsOf(disk, from)).toEqual([`append ${LOG}`, `sync ${LOG}`]);
    expect([writer.durableLsn, writer.isClean]).toEqual([2, true]);
  });

  it("takes what was appended in this turn along, before itself, with one fsync for all", async () => {
    const { disk, writer, applied } = await begun();
    const from = disk.nextOperation;
    const order: string[] = [];
    const earlier = ["relaxed", "strict", "relaxed"].map(async (mode, n) => {
      const result = await writer.append(put(`${n}`, "v"), mode as "strict");
      order.push(`${result.lsn} ${result.durable}`);
    });
    expect(writer.appendSync(put("now", "v"), "relaxed")).toMatchObject({ lsn: 5, durable: true });
    expect(applied).toEqual(["2/2 put 0=v", "3/3 put 1=v", "4/4 put 2=v", "5/5 put now=v"]);
    expect(mutationsOf(disk, from)).toEqual([`append ${LOG}`, `sync ${LOG}`]);
    expect(order).toEqual([]);
    await Promise.all(earlier);
    expect(order).toEqual(["2 false", "3 true", "4 true"]);
    expect([writer.pendingBytes, [...writer.pending()]]).toEqual([0, []]);
    expect(writer.stats().commits.count).toBe(2);
  });

  it("concludes the batch whose fsync is under way, once", async () => {
    let settled = 0;
    const { disk, writer, applied } = await begun(new SimDisk({ unhurried: true }));
    const first = writer.append(put("a", "v")).then((result) => {
      settled++;
      return result;
    });
    const isSyncing = () => disk.events.at(-1)?.kind === "append";
    while (!isSyncing()) await settle();
    await microtasks();
    const from = disk.nextOperation;
    expect(writer.appendSync(put("b", "v")).lsn).toBe(3);
    expect(applied).toEqual(["2/2 put a=v", "3/3 put b=v"]);
    expect(mutationsOf(disk, from)).toEqual([`append ${LOG}`, `sync ${LOG}`]);
    expect(writer.appendSync(put("c", "v")).lsn).toBe(4);
    const [last] = await Promise.all([writer.append(put("d", "v")), first]);
    expect([settled, last.lsn, (await first).lsn, applied.length]).toEqual([1, 5, 2, 4]);
    expect(writer.stats()).toMatchObject({ commits: { count: 5 }, appends: { strict: 5, rejected: 0 } });
    await writer.close();
    expect(await recovered(disk)).toHaveLength(5);
  });

  it("keeps segments within segmentMaxBytes, and opens the next one in the same turn", async () => {
    const { disk, writer } = await opened(new SimDisk(), SMALL);
    const results = Array.from({ length: 9 }, (_, n) => writer.appendSync(put(`${n}`, fill(600)), "relaxed"));
    expect(results.map(({ segmentId }) => segmentId)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5]);
    await writer.close();
    expect(await recovered(disk)).toHaveLength(9);
  });

  it("is not held up by a rotation, nor by the fsync before it", async () => {
    const { disk, writer } = await begun(new SimDisk({ unhurried: true }), SMALL);
    writer.appendSync(put("first"), "relaxed");
    const rotated = writer.rotate();
    let isOver = false;
    void rotated.then(() => {
      isOver = true;
    });
    for (let n = 0; !isOver; n++) {
      await microtasks(n % 7);
      writer.appendSync(put(`${n}`), n % 3 === 0 ? "strict" : "relaxed");
      await settle();
    }
    await rotated;
    await writer.close();
    expect((await recoverWal(SMALL, disk)).lastLsn).toBe(writer.nextLsn - 1);
  });

  it.each(["strict", "relaxed"] as const)(
    "meets a rotation and an append at every microtask of theirs, behind a %s record, and nothing is written twice",
    async (mode) => {
      for (let wait = 0; wait < 90; wait++) {
        const { disk, writer, applied } = await opened(new SimDisk(), SMALL);
        writer.appendSync(put("first", fill(600)), mode);
        const length = [undefined, 1200, 20][wait % 3];
        const others =
          length === undefined ? writer.rotate() : writer.append(put("earlier", fill(length)), mode);
        await microtasks(Math.floor(wait / 3));
        const code = codeOf(() => writer.appendSync(put("now", fill(900)), mode));
        expect(["nothing was thrown", "KAYA_BUSY"]).toContain(code);
        await others;
        writer.appendSync(put("last"));
        expect(writer.failure).toBeUndefined();
        disk.crash();
        expect(await recovered(disk)).toEqual(applied);
        expect(applied.length).toBe((length === undefined ? 2 : 3) + (code === "KAYA_BUSY" ? 0 : 1));
      }
    },
  );

  it("throws what it cannot do before anything is written", async () => {
    const { disk, writer } = await begun();
    const from = disk.nextOperation;
    expect(codeOf(() => writer.appendSync(put("a"), "soon" as "strict"))).toBe("KAYA_INVALID_ARGUMENT");
    expect(codeOf(() => writer.appendSync({ type: "put" } as never))).toBe("KAYA_INVALID_ARGUMENT");
    expect(codeOf(() => writer.appendSync(put("a", fill(64 * 2 ** 20))))).toBe("KAYA_INVALID_ARGUMENT");
    await writer.close();
    expect(codeOf(() => writer.appendSync(put("a")))).toBe("KAYA_CLOSED");
    expect(mutationsOf(disk, from)).toEqual([]);
    const noTwin = await WalWriter.open({}, new SimDisk(), { onCommit: async () => undefined });
    expect(codeOf(() => noTwin.appendSync(put("a")))).toBe("KAYA_INVALID_ARGUMENT");
    const looking = await WalWriter.open({}, disk, { readOnly: true });
    expect(codeOf(() => looking.appendSync(put("a")))).toBe("KAYA_READ_ONLY");
  });
});

describe("KAYA_BUSY: what cannot be waited for", () => {
  it("while another thread writes a batch: nothing is appended, and the batch is not touched", async () => {
    const { disk, writer, applied } = await begun(new SimDisk({ unhurried: true }));
    const first = writer.append(put("a", "v"));
    await microtasks();
    const { nextLsn, nextSequence } = writer;
    expect(codeOf(() => writer.appendSync(put("b")))).toBe("KAYA_BUSY");
    expect(codeOf(() => writer.settleSync())).toBe("KAYA_BUSY");
    expect([writer.nextLsn, writer.nextSequence]).toEqual([nextLsn, nextSequence]);
    await first;
    expect(writer.appendSync(put("b", "v")).lsn).toBe(3);
    expect(applied).toEqual(["2/2 put a=v", "3/3 put b=v"]);
    await writer.close();
    expect(await recovered(disk)).toHaveLength(3);
  });

  it("while a segment is created for an append, until somebody commits synchronously", async () => {
    const { writer } = await begun(new SimDisk({ unhurried: true }));
    const rotated = writer.rotate();
    await microtasks();
    expect(codeOf(() => writer.appendSync(put("a")))).toBe("KAYA_BUSY");
    await rotated;
    expect(writer.appendSync(put("a")).segmentId).toBe(2);
  });

  it("while a record takes its time to be applied, and from inside what applies it", async () => {
    let release = (): void => undefined;
    let inside: string | undefined;
    const { writer } = await begun(new SimDisk(), {}, {
      onCommit: ({ lsn }) => (lsn === 2 ? new Promise((resolve) => (release = () => resolve())) : undefined),
      onCommitSync: () => {
        inside = codeOf(() => writer.appendSync(noop));
      },
    } as WalWriterOptions);
    const first = writer.append(put("a"));
    await microtasks();
    expect(codeOf(() => writer.appendSync(put("b")))).toBe("KAYA_BUSY");
    release();
    await first;
    writer.appendSync(put("b"));
    expect(inside).toBe("KAYA_BUSY");
  });

  it("from inside a subscriber of a channel", async () => {
    const { writer } = await begun();
    const codes: string[] = [];
    const subscriber = () => void codes.push(codeOf(() => writer.appendSync(noop)));
    fsyncChannel.subscribe(subscriber);
    writer.appendSync(put("a"));
    fsyncChannel.unsubscribe(subscriber);
    expect(codes).toEqual(["KAYA_BUSY"]);
    expect(writer.nextLsn).toBe(3);
  });

  it("while writes are held up", async () => {
    const { writer } = await begun();
    let release = (): void => undefined;
    let held: Promise<void> | undefined = new Promise((resolve) => (release = resolve));
    writer.throttle(() => held);
    expect(codeOf(() => writer.appendSync(put("a")))).toBe("KAYA_BUSY");
    held = undefined;
    release();
    expect(writer.appendSync(put("a")).lsn).toBe(2);
  });
});

describe("failures", () => {
  it.each([
    { kind: "disk-full" },
    { kind: "io-error", outcome: "kept" },
    { kind: "partial-write", bytes: 41 },
  ] as const)(
    "W3: after $kind all that is queued is taken back, durably, and the writer goes on",
    async (fault) => {
      const { disk, writer, applied } = await begun();
      const from = disk.nextOperation;
      disk.addFault({ ...fault, at: from });
      const earlier = outcome(writer.append(put("earlier")));
      const code = fault.kind === "io-error" ? "KAYA_IO" : "KAYA_DISK_FULL";
      expect(codeOf(() => writer.appendSync(put("now")))).toBe(code);
      expect(mutationsOf(disk, from)).toEqual([`append ${LOG}`, `truncate ${LOG}`, `sync ${LOG}`]);
      // Nothing comes into the log before those who were behind know that they are not in it.
      expect(codeOf(() => writer.appendSync(put("too soon")))).toBe("KAYA_BUSY");
      expect(await earlier).toMatchObject({ error: { code } });
      expect([writer.nextLsn, writer.failure, applied]).toEqual([2, undefined, []]);
      expect(writer.appendSync(put("again", "v")).lsn).toBe(2);
      disk.crash();
      expect(await recovered(disk)).toEqual(["1/1 noop", "2/2 put again=v"]);
    },
  );

  it("W3: what was written before the batch that failed is concluded", async () => {
    const { disk, writer, applied } = await begun(new SimDisk(), { maxBatchBytes: 1 });
    disk.addFault({ at: disk.nextOperation + 1, kind: "disk-full" });
    const [first, second] = [writer.append(put("a", "v")), outcome(writer.append(put("b")))];
    expect(codeOf(() => writer.appendSync(put("c")))).toBe("KAYA_DISK_FULL");
    expect((await first).lsn).toBe(2);
    expect(await second).toMatchObject({ error: { code: "KAYA_DISK_FULL" } });
    expect([applied, writer.nextLsn, writer.durableLsn]).toEqual([["2/2 put a=v"], 3, 2]);
    disk.crash();
    expect(await recovered(disk)).toEqual(["1/1 noop", "2/2 put a=v"]);
  });

  it("W4: a failed write that cannot be taken back is final", async () => {
    const { disk, writer } = await begun();
    const at = disk.nextOperation;
    disk.addFault({ at, kind: "partial-write", bytes: 41 });
    disk.addFault({ at: at + 1, kind: "io-error" });
    expect(codeOf(() => writer.appendSync(put("a")))).toBe("KAYA_FSYNC_FAILED");
    expect(codeOf(() => writer.appendSync(put("b")))).toBe("KAYA_WRITER_FAILED");
  });

  it.each<FailedSyncOutcome>(["readable-until-crash", "kept", "lost"])(
    "W4: a failed fsync (%s) is final for all that it was for",
    async (kept) => {
      const { disk, writer, applied } = await begun();
      disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed", outcome: kept });
      const earlier = outcome(writer.append(put("earlier")));
      expect(codeOf(() => writer.appendSync(put("now")))).toBe("KAYA_FSYNC_FAILED");
      expect(await earlier).toMatchObject({ error: { code: "KAYA_FSYNC_FAILED" } });
      expect(applied).toEqual([]);
      expect(writer.nextLsn).toBe(4);
      expect(codeOf(() => writer.appendSync(put("later")))).toBe("KAYA_WRITER_FAILED");
      expect(await outcome(writer.append(put("later")))).toMatchObject({
        error: { code: "KAYA_WRITER_FAILED" },
      });
    },
  );

  it("W4: an fsync of another thread that fails behind a synchronous one is final too", async () => {
    const { disk, writer } = await begun(new SimDisk({ unhurried: true }));
    const first = writer.append(put("a", "v"));
    while (disk.events.at(-1)?.kind !== "append") await settle();
    await microtasks();
    disk.addFault({ at: disk.nextOperation + 2, kind: "fsync-failed" });
    writer.appendSync(put("b", "v"));
    expect((await first).durable).toBe(true);
    while (writer.failure === undefined) await settle();
    expect(codeOf(() => writer.appendSync(put("c")))).toBe("KAYA_WRITER_FAILED");
    disk.crash();
    expect(await recovered(disk)).toEqual(["1/1 noop", "2/2 put a=v", "3/3 put b=v"]);
  });

  it("W4: no synchronous fsync makes up for one that has just failed", async () => {
    const { disk, writer } = await begun(new SimDisk({ unhurried: true }));
    const first = outcome(writer.append(put("a", "v")));
    while (disk.events.at(-1)?.kind !== "append") await settle();
    disk.addFault({ at: disk.nextOperation, kind: "fsync-failed" });
    let code: string | undefined;
    // Told before the writer knows.
    const subscriber = () => {
      code ??= codeOf(() => writer.appendSync(put("b", "v")));
    };
    fsyncChannel.subscribe(subscriber);
    expect(await first).toMatchObject({ error: { code: "KAYA_FSYNC_FAILED" } });
    fsyncChannel.unsubscribe(subscriber);
    expect(["KAYA_FSYNC_FAILED", "KAYA_WRITER_FAILED"]).toContain(code);
    expect(writer.failure?.code).toBe("KAYA_FSYNC_FAILED");
  });

  it("W4: a record that cannot be applied is final", async () => {
    const { disk, writer } = await begun(
      new SimDisk(),
      {},
      {
        onCommitSync: () => {
          throw new Error("no");
        },
      },
    );
    const earlier = outcome(writer.append(put("a", "v")));
    expect(codeOf(() => writer.appendSync(put("b", "v")))).toBe("KAYA_INTERNAL");
    expect(await earlier).toMatchObject({ error: { code: "KAYA_INTERNAL" } });
    disk.crash();
    expect(await recovered(disk)).toHaveLength(3);
    const asynchronous = await begun(
      new SimDisk(),
      {},
      {
        onCommitSync: (async () => undefined) as () => void,
      },
    );
    expect(codeOf(() => asynchronous.writer.appendSync(noop))).toBe("KAYA_INTERNAL");
  });

  it("W3: a segment that could not be created is taken away before anything more is written", async () => {
    const { disk, writer } = await begun(new SimDisk(), SMALL);
    writer.appendSync(put("a", fill(1200)));
    const at = disk.nextOperation + 2;
    disk.addFault({ at, kind: "io-error", outcome: "kept" }); // of the open
    disk.addFault({ at: at + 1, kind: "io-error" }); // nor can it be removed
    expect(codeOf(() => writer.appendSync(put("b", fill(600))))).toBe("KAYA_IO");
    expect(disk.readFile(segmentPath(2))).toBeDefined();
    expect(writer.appendSync(put("c", "v")).segmentId).toBe(1);
    expect(disk.readFile(segmentPath(2))).toBeUndefined();
    expect(writer.appendSync(put("d", fill(600))).segmentId).toBe(2);
    await writer.close();
    expect(await recovered(disk)).toHaveLength(4);
  });

  it("W7: a second writer is found", async () => {
    const { disk, writer } = await begun();
    await (await disk.open(LOG)).append(bytes("not ours"));
    expect(codeOf(() => writer.appendSync(put("a")))).toBe("KAYA_INVARIANT_VIOLATION");
    expect(codeOf(() => writer.appendSync(put("a")))).toBe("KAYA_WRITER_FAILED");
  });
});

describe("a loop of synchronous commits, all in one turn", () => {
  const directories: string[] = [];
  afterAll(() => Promise.all(directories.map((path) => rm(path, { recursive: true }))));

  async function onDisk(config = {}) {
    const root = await mkdtemp(join(tmpdir(), "kaya-wal-sync-"));
    directories.push(root);
    const writer = await WalWriter.open(config, new NodeDisk(root));
    for (let n = 0; n < 8; n++) writer.appendSync(put(`${n}`));
    return { root, writer };
  }

  it("notices at the next write that another process has changed the file (W7)", async () => {
    const { root, writer } = await onDisk();
    truncateSync(join(root, LOG), 0);
    expect(codeOf(() => writer.appendSync(put("a")))).toBe("KAYA_INVARIANT_VIOLATION");
    expect(codeOf(() => writer.appendSync(put("a")))).toBe("KAYA_WRITER_FAILED");
    await outcome(writer.close());
  });

  it.each([
    ["moved away", (path: string) => renameSync(path, `${path}.elsewhere`)],
    [
      "moved away and replaced",
      (path: string) => [renameSync(path, `${path}.elsewhere`), writeFileSync(path, "")],
    ],
  ])("notices at the end of a segment that it was %s", async (_, change) => {
    const { root, writer } = await onDisk({ segmentMaxBytes: 4096 });
    change(join(root, LOG));
    expect(codeOf(() => writer.appendSync(put("b", fill(4000))))).toBe("KAYA_FSYNC_FAILED");
    await outcome(writer.close());
  });
});

describe("KAYA_BUSY", () => {
  it("of a tail that had no room begins to make it durable: `sync` tells how that went", async () => {
    const { disk, writer } = await begun();
    await writer.append(put("a"));
    disk.crash();
    const fillDisk = () => {
      for (let later = 0; later < 3; later++)
        disk.addFault({ at: disk.nextOperation + later, kind: "disk-full" });
    };
    fillDisk();
    const again = await opened(disk);
    expect(again.writer.isClean).toBe(false);
    fillDisk();
    expect(codeOf(() => again.writer.appendSync(put("b")))).toBe("KAYA_BUSY");
    expect(await outcome(again.writer.sync())).toMatchObject({ error: { code: "KAYA_DISK_FULL" } });
    expect(codeOf(() => again.writer.appendSync(put("b")))).toBe("KAYA_BUSY");
    await again.writer.sync();
    expect(again.writer.appendSync(put("b")).lsn).toBe(3);
  });

  it("of a segment that only an asynchronous disk can create begins to create it", async () => {
    const inner = new SimDisk();
    const writer = await WalWriter.open({ segmentMaxBytes: 700 }, new PassingDisk(inner));
    for (const lsn of [1, 2, 3]) {
      expect(codeOf(() => writer.appendSync(put("a", fill(500))))).toBe("KAYA_BUSY");
      await writer.sync();
      expect(writer.appendSync(put("a", fill(500))).lsn).toBe(lsn);
    }
    expect(writer.size.segments).toBe(3);
  });
});
