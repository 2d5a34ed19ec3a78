import { KayaError } from "@kaya/core";
import { type FaultRule, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import {
  type AppendResult,
  type CommitTo,
  type CommittedBatch,
  recoverWal,
  WalWriter,
  type WalWriterOptions,
} from "../src/index.js";
import { concat, fill, outcome, plain, present, put, segmentPath } from "./support.js";

type Told = { readonly value: AppendResult } | { readonly error: KayaError };

/** The log in front, in memory. */
class LogAhead implements CommitTo {
  readonly entries: CommittedBatch[] = [];
  maxBatchBytes = 1000;
  /** Instead of taking the batch. */
  refuse: ((batch: CommittedBatch) => void | Promise<void>) | undefined;
  isFollowing = false;

  readonly refusal = () =>
    this.isFollowing ? new KayaError("KAYA_NOT_LEADER", "another node is the writer") : undefined;

  readonly commit = async (batch: CommittedBatch) => {
    await this.refuse?.(batch);
    this.entries.push({ ...batch, bytes: new Uint8Array(batch.bytes) });
  };

  get bytes(): Uint8Array {
    return concat(this.entries.map(({ bytes }) => bytes));
  }
}

const open = (disk: SimDisk, ahead: LogAhead, config = {}, options: WalWriterOptions = {}) =>
  WalWriter.open(config, disk, { commitTo: ahead, ...options });

const told = (append: Promise<AppendResult>): Promise<Told> => outcome(append) as Promise<Told>;
const errorOf = (given: Told | undefined): KayaError => (given as { readonly error: KayaError }).error;

function segmentsOf(disk: SimDisk): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let id = 1; ; id++) {
    const bytes = disk.readFile(segmentPath(id));
    if (bytes === undefined) return concat(parts);
    parts.push(bytes);
  }
}

async function keysOf(disk: SimDisk): Promise<string[]> {
  return plain((await recoverWal({}, disk)).records);
}

describe("a log in front", () => {
  it("gets each batch before it is written, one at a time, with the bytes of the segments", async () => {
    const disk = new SimDisk();
    const ahead = new LogAhead();
    ahead.maxBatchBytes = 200;
    const writer = await open(disk, ahead, { segmentMaxBytes: 300, maxRecordBytes: 200 });
    let underWay = 0;
    ahead.refuse = async ({ firstLsn }) => {
      expect(++underWay).toBe(1);
      await new Promise(setImmediate);
      expect(plain((await recoverWal({}, disk.fork(), { dryRun: true })).records)).toHaveLength(firstLsn - 1);
      underWay--;
    };
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        writer.append(put(`key ${i}`), i % 2 === 0 ? "strict" : "relaxed"),
      ),
    );
    expect(results.map(({ lsn, durable }) => [lsn, durable])).toEqual(
      Array.from({ length: 12 }, (_, i) => [i + 1, true]),
    );
    expect(segmentsOf(disk)).toEqual(ahead.bytes);
    expect(ahead.entries.map(({ firstLsn, lastLsn }) => lastLsn - firstLsn + 1).every((n) => n > 0)).toBe(
      true,
    );
    expect(Math.max(...ahead.entries.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(200);
    await writer.close();
  });

  it("is told the last operation of a batch of operations, and gets a large value in its place", async () => {
    const disk = new SimDisk();
    const ahead = new LogAhead();
    const writer = await open(disk, ahead, {}, { largeValueBytes: 100 });
    const appends = [
      writer.append(put("a")),
      writer.append(put("b", fill(300))),
      writer.append({ type: "batch", operations: [put("c"), put("d")] }),
    ];
    await Promise.all(appends);
    expect(ahead.entries).toMatchObject([{ firstLsn: 1, lastLsn: 3, lastSequence: 4 }]);
    expect(segmentsOf(disk)).toEqual(ahead.bytes);
    await writer.close();
  });

  it.each(["rotate", "prepare"] as const)(
    "keeps no `%s` waiting for records that are appended after it",
    async (call) => {
      const ahead = new LogAhead();
      const writer = await open(new SimDisk(), ahead);
      await writer.append(put("a"));
      let letGo = (): void => undefined;
      const gate = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      ahead.refuse = ({ lastLsn }) => (lastLsn < 3 ? undefined : gate);
      const before = writer.append(put("b"));
      const rotated = writer[call]();
      const behind = writer.append(put("c"));
      await Promise.all([before, rotated]);
      expect(ahead.entries.map(({ lastLsn }) => lastLsn)).toEqual([1, 2]);
      letGo();
      expect((await behind).segmentId).toBe(2);
      await writer.close();
    },
  );

  it.each(["rotate", "prepare"] as const)(
    "lets `%s` succeed although it refuses all records, whose callers append again at once",
    async (call) => {
      const ahead = new LogAhead();
      const writer = await open(new SimDisk(), ahead);
      await writer.append(put("a"));
      let [isOver, refused] = [false, 0];
      ahead.refuse = async () => {
        await new Promise(setImmediate);
        throw new KayaError("KAYA_DISK_FULL", "there is no room");
      };
      const callers = ["b", "c"].map(async (key) => {
        for (; !isOver && refused < 1_000; refused++)
          expect(errorOf(await told(writer.append(put(key)))).code).toBe("KAYA_DISK_FULL");
      });
      await new Promise(setImmediate);
      await writer[call]();
      expect(refused).toBeLessThan(1_000);
      isOver = true;
      await Promise.all(callers);
      ahead.refuse = undefined;
      expect(await writer.append(put("d"))).toMatchObject({ lsn: 2, segmentId: 2 });
      await writer.close();
    },
  );

  it("takes the place of the fsync, but not of that of `sync`, `rotate` and a full segment", async () => {
    const disk = new SimDisk();
    const writer = await open(disk, new LogAhead(), { segmentMaxBytes: 400, maxRecordBytes: 200 });
    await writer.append(put("a"));
    const before = writer.stats().fsyncs.count;
    await writer.append(put("b"));
    expect(writer.stats().fsyncs.count).toBe(before);
    expect(writer.durableLsn).toBe(0);
    await writer.settle();
    expect(writer.durableLsn).toBe(0);
    await writer.sync();
    expect(writer.durableLsn).toBe(2);
    await writer.append(put("c"));
    await writer.rotate();
    expect(writer.durableLsn).toBe(3);
    for (let i = 0; i < 8; i++) await writer.append(put(`d ${i}`));
    expect(writer.durableLsn).toBeGreaterThan(3);
    await writer.close();
    disk.crash();
    expect(await keysOf(disk)).toHaveLength(11);
  });

  it("lets followers read what it has, synced here or not, and wait for what is not here yet", async () => {
    const ahead = new LogAhead();
    const writer = await open(new SimDisk(), ahead);
    const follower = writer.follow();
    await writer.append(put("a"));
    expect((await follower.next()).value).toMatchObject({ lsn: 1 });
    expect(writer.durableLsn).toBe(0);
    const later = writer.follow({ after: 2 });
    const third = later.next();
    for (const key of ["b", "c"]) await writer.append(put(key));
    expect((await third).value).toMatchObject({ lsn: 3 });
    await writer.close();
  });

  it("refuses a record that no batch of it holds, before anything is queued", async () => {
    const disk = new SimDisk();
    const ahead = new LogAhead();
    const writer = await open(disk, ahead);
    const queued = writer.append(put("a"));
    await expect(writer.append(put("b", fill(1000)))).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
      message: expect.stringContaining("1000"),
    });
    expect(writer.nextLsn).toBe(2);
    expect((await queued).lsn).toBe(1);
    await writer.close();
  });

  it("refuses appends while it says so, and synchronous ones always", async () => {
    const ahead = new LogAhead();
    const writer = await open(new SimDisk(), ahead);
    ahead.isFollowing = true;
    await expect(writer.append(put("a"))).rejects.toMatchObject({ code: "KAYA_NOT_LEADER" });
    ahead.isFollowing = false;
    expect(() => writer.appendSync(put("a"))).toThrow(/synchronous write/);
    expect(() => writer.settleSync()).toThrow(/synchronous write/);
    expect(writer.nextLsn).toBe(1);
    await writer.close();
  });

  it("is checked when the writer is opened", async () => {
    for (const [field, value] of [
      ["maxBatchBytes", 39],
      ["maxBatchBytes", 1.5],
      ["refusal", undefined],
      ["commit", 1],
      ["refusedHere", "no"],
    ] as const) {
      const commitTo = {
        maxBatchBytes: 40,
        refusal: () => undefined,
        commit: async () => {},
        [field]: value,
      };
      await expect(
        WalWriter.open({}, new SimDisk(), { commitTo: commitTo as unknown as CommitTo }),
      ).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT", message: expect.stringContaining(field) });
    }
  });
});

describe("W3: a batch that the log in front does not take", () => {
  async function refused(code: ConstructorParameters<typeof KayaError>[0]) {
    const disk = new SimDisk();
    const ahead = new LogAhead();
    ahead.maxBatchBytes = 140;
    const writer = await open(disk, ahead);
    await writer.append(put("first"));
    const before = segmentsOf(disk);
    const operations = disk.nextOperation;
    ahead.refuse = () => {
      throw new KayaError(code, "no", { leader: "here:1" });
    };
    const waiting = ["a", "b", "c", "d", "e"].map((key) => told(writer.append(put(key))));
    const barrier = outcome(writer.settle());
    const results = await Promise.all(waiting);
    return { disk, ahead, writer, before, operations, results, barrier: await barrier };
  }

  it("is rejected with its error, writes nothing, and gives its LSNs back", async () => {
    const { disk, ahead, writer, before, operations, results } = await refused("KAYA_FENCED");
    expect(errorOf(results[0]).message).toBe("no");
    expect(disk.nextOperation).toBe(operations);
    expect(segmentsOf(disk)).toEqual(before);
    expect([writer.nextLsn, writer.nextSequence, writer.pendingBytes]).toEqual([2, 2, 0]);
    expect(writer.failure).toBeUndefined();
    ahead.refuse = undefined;
    expect(await writer.append(put("second"))).toMatchObject({ lsn: 2, sequence: 2 });
    await writer.close();
    expect(await keysOf(disk)).toEqual(["1/1 put first=value of first", "2/2 put second=value of second"]);
  });

  it.each([
    ["KAYA_FENCED", "KAYA_FENCED"],
    ["KAYA_NO_MAJORITY", "KAYA_NO_MAJORITY"],
    ["KAYA_DISK_FULL", "KAYA_DISK_FULL"],
    ["KAYA_IN_DOUBT", "KAYA_FENCED"],
    ["KAYA_INTERNAL", "KAYA_FENCED"],
  ] as const)("behind %s those that were never handed over are told %s", async (first, behind) => {
    const { writer, results, barrier } = await refused(first);
    const errors = results.map(errorOf);
    const own = errors.filter((error) => error === errors[0]);
    expect(own.length).toBeGreaterThan(0);
    expect(own.length).toBeLessThan(errors.length);
    expect(own[0]?.code).toBe(first);
    for (const error of errors.slice(own.length)) {
      expect(error).toMatchObject({ code: behind, cause: errors[0], leader: "here:1" });
      expect(error.message).toContain("nothing of it was written");
    }
    expect(barrier).toMatchObject({ error: { code: behind } });
    await writer.close();
  });

  it("is no failure of the log, whatever it rejects with", async () => {
    const ahead = new LogAhead();
    const writer = await open(new SimDisk(), ahead);
    ahead.refuse = () => {
      throw new TypeError("a bug");
    };
    const error = errorOf(await told(writer.append(put("a"))));
    expect(error).toMatchObject({ code: "KAYA_INTERNAL", cause: expect.any(TypeError) });
    ahead.refuse = undefined;
    expect(await writer.append(put("b"))).toMatchObject({ lsn: 1 });
    await writer.close();
  });

  it("leaves the log clean when it is closed, with a sync behind it that was rejected", async () => {
    const disk = new SimDisk();
    const ahead = new LogAhead();
    const writer = await open(disk, ahead);
    await writer.append(put("first"));
    ahead.refuse = async () => {
      await new Promise(setImmediate);
      throw new KayaError("KAYA_FENCED", "no");
    };
    const lost = told(writer.append(put("a")));
    await new Promise(setImmediate);
    await writer.close();
    expect(errorOf(await lost).code).toBe("KAYA_FENCED");
    expect(writer.tailMark).toBeDefined();
    disk.crash();
    expect(await keysOf(disk)).toHaveLength(1);
  });
});

describe("what fails", () => {
  const FAULTS = ["disk-full", "io-error", "fsync-failed", "no-descriptors"] as const;

  /** A batch into the open segment, one that fills it, and a rotation. */
  async function workload(writer: WalWriter): Promise<Told[]> {
    const results: Told[] = [];
    for (let i = 0; i < 8; i++)
      results.push(...(await Promise.all([0, 1].map((n) => told(writer.append(put(`key ${i} ${n}`)))))));
    return results;
  }
  const config = { segmentMaxBytes: 300, maxRecordBytes: 200 };

  it("before the log in front has a batch takes it back; behind that it is final, and that log has it", async () => {
    const counted = new SimDisk();
    const whole = await open(counted, new LogAhead(), config);
    await workload(whole);
    await whole.close();
    let [takenBack, final] = [0, 0];
    for (let at = 0; at < counted.nextOperation; at++) {
      for (const kind of FAULTS) {
        const disk = new SimDisk({ faults: [{ at, kind } as FaultRule] });
        const ahead = new LogAhead();
        const writer = await open(disk, ahead, config).catch(() => undefined);
        if (writer === undefined) continue;
        const results = await workload(writer);
        await writer.close().catch(() => undefined);
        const lsns = new Set(ahead.entries.flatMap(({ firstLsn, lastLsn }) => range(firstLsn, lastLsn)));
        const when = `${kind} at ${at}`;
        let next = 1;
        for (const result of results) {
          if (!("error" in result)) {
            expect(lsns.has(result.value.lsn), when).toBe(true);
            expect(result.value.lsn, when).toBe(next++);
          } else if (["KAYA_DISK_FULL", "KAYA_IO"].includes(result.error.code)) takenBack++;
          else if (result.error.message.includes("is in the shared log")) final++;
        }
        for (const end of [undefined, { survive: "everything" }, {}] as const) {
          const left = disk.fork();
          if (end !== undefined) left.crash(end);
          const { records } = await recoverWal(config, left);
          expect(plain(records), when).toEqual(plain(await recordsOf(ahead)).slice(0, records.length));
        }
        // Nothing that is not in the log in front has an LSN of it.
        expect(results.filter((result) => !("error" in result)).length, when).toBeLessThanOrEqual(lsns.size);
      }
    }
    expect(takenBack).toBeGreaterThan(0);
    expect(final).toBeGreaterThan(0);
  });

  it("before the log in front has a batch is told, once for all batches, and not for records that come from that log", async () => {
    const disk = new SimDisk();
    const refused: KayaError[] = [];
    const ahead = Object.assign(new LogAhead(), { refusedHere: (error: KayaError) => refused.push(error) });
    const writer = await open(disk, ahead, config);
    const LARGE = fill(140); // two do not fit a segment
    await writer.append(put("first", LARGE));
    const rest = Array(30).fill({ kind: "disk-full", after: 0, only: "open" });
    const faults = disk.scheduleFaults(...rest);
    const writes = await Promise.all([0, 1, 2, 3].map((n) => told(writer.append(put(`${n}`, LARGE)))));
    expect(writes.every((result) => "error" in result && result.error.code === "KAYA_DISK_FULL")).toBe(true);
    expect(refused).toEqual([errorOf(writes[0])]);
    expect(ahead.entries).toHaveLength(1);
    // No write is refused.
    await expect(writer.prepare()).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    const source = new LogAhead();
    const other = await open(new SimDisk(), source);
    for (const key of ["first", "next"]) await other.append(put(key, LARGE));
    const entry = source.entries[1] as CommittedBatch;
    await expect(writer.appendReplicated(entry)).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(refused).toHaveLength(1);
    faults.cancel();
    await writer.prepare();
    await writer.appendReplicated(entry);
    await writer.close();
    await other.close();
  });

  it("opens the first segment, and the next one, when it is asked to prepare", async () => {
    const disk = new SimDisk();
    const writer = await open(disk, new LogAhead());
    for (const id of [1, 2]) {
      // An empty segment stays as it is.
      for (let calls = 0; calls < 2; calls++) {
        await writer.prepare();
        expect(disk.readFile(segmentPath(id))).toHaveLength(0);
        expect(disk.readFile(segmentPath(id + 1))).toBeUndefined();
      }
      await writer.append(put("a"));
    }
    await writer.close();
  });

  it("is told as final, with the failed write as its cause, and nothing more is handed over", async () => {
    const disk = new SimDisk();
    const ahead = new LogAhead();
    const writer = await open(disk, ahead);
    await writer.append(put("first"));
    disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 20 });
    const error = errorOf(await told(writer.append(put("second"))));
    expect(error).toMatchObject({ code: "KAYA_FSYNC_FAILED", cause: { code: "KAYA_DISK_FULL" } });
    expect(writer.failure).toBe(error);
    expect(ahead.entries).toHaveLength(2);
    expect(errorOf(await told(writer.append(put("third")))).code).toBe("KAYA_WRITER_FAILED");
    await writer.close();
    expect(ahead.entries).toHaveLength(2);
    expect(await keysOf(disk)).toEqual(["1/1 put first=value of first"]);
  });

  async function recordsOf(ahead: LogAhead) {
    const disk = new SimDisk();
    disk.writeFile(segmentPath(1), ahead.bytes);
    return (await recoverWal({}, disk)).records;
  }
});

describe("records that come from the log in front", () => {
  /** Entries of a log with these batches, as another node wrote them. */
  async function written(keys: readonly (readonly string[])[]): Promise<readonly CommittedBatch[]> {
    const ahead = new LogAhead();
    const writer = await open(new SimDisk(), ahead);
    for (const batch of keys) await Promise.all(batch.map((key) => writer.append(put(key))));
    await writer.close();
    return ahead.entries;
  }

  it("stand in the segments byte for byte, over any size of segments", async () => {
    const entries = await written([["a", "b"], ["c"], ["d", "e", "f"]]);
    for (const segmentMaxBytes of [70, 130, 1000]) {
      const disk = new SimDisk();
      const seen: string[] = [];
      const writer = await open(
        disk,
        new LogAhead(),
        { segmentMaxBytes },
        { onCommit: (record) => void seen.push(...plain([record])) },
      );
      const appended = entries.map((entry) => writer.appendReplicated(entry));
      await Promise.all(appended);
      expect(seen).toHaveLength(6);
      expect(segmentsOf(disk)).toEqual(concat(entries.map(({ bytes }) => bytes)));
      expect([writer.nextLsn, writer.nextSequence]).toEqual([7, 7]);
      expect(plain([...(await recoverWal({}, disk.fork())).records])).toEqual(seen);
      await writer.close();
    }
  });

  it("are not handed over, and read before the call returns", async () => {
    const [entry] = await written([["a", "b"]]);
    const disk = new SimDisk();
    const ahead = new LogAhead();
    const writer = await open(disk, ahead);
    const { bytes: whole } = present(entry);
    const lent = new Uint8Array(whole);
    const appended = writer.appendReplicated({ ...present(entry), bytes: lent });
    lent.fill(0);
    await appended;
    expect(segmentsOf(disk)).toEqual(whole);
    expect(ahead.entries).toEqual([]);
    await writer.close();
  });

  it("are skipped where they are here already", async () => {
    const [first, second] = await written([["a", "b"], ["c"]]);
    const both = {
      firstLsn: 1,
      lastLsn: 3,
      bytes: concat([present(first).bytes, present(second).bytes]),
    };
    const disk = new SimDisk();
    const writer = await open(disk, new LogAhead());
    await writer.appendReplicated(present(first));
    await writer.appendReplicated(present(first));
    await writer.appendReplicated(both);
    await writer.appendReplicated(both);
    expect(writer.nextLsn).toBe(4);
    expect(segmentsOf(disk)).toEqual(both.bytes);
    await writer.close();
  });

  it("are taken back where the disk is full, and may come again", async () => {
    const entries = await written([["a", "b"], ["c"]]);
    const disk = new SimDisk();
    const writer = await open(disk, new LogAhead());
    await writer.appendReplicated(present(entries[0]));
    disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 20 });
    await expect(writer.appendReplicated(present(entries[1]))).rejects.toMatchObject({
      code: "KAYA_DISK_FULL",
    });
    expect(writer.nextLsn).toBe(3);
    await writer.appendReplicated(present(entries[1]));
    expect(await keysOf(disk.fork())).toHaveLength(3);
    await writer.close();
  });

  it("are refused before anything is written, wherever one bit is wrong or a byte is missing", async () => {
    const [entry] = await written([["a", "b", "c"]]);
    const { firstLsn, lastLsn, bytes } = present(entry);
    const disk = new SimDisk();
    const writer = await open(disk, new LogAhead());
    const operations = disk.nextOperation;
    const refuse = (wrong: Uint8Array, when: string) =>
      expect(writer.appendReplicated({ firstLsn, lastLsn, bytes: wrong }), when).rejects.toMatchObject({
        code: expect.stringMatching(/^KAYA_(CORRUPTION|UNSUPPORTED_VERSION|INVALID_ARGUMENT)$/),
        message: expect.stringContaining("nothing was written"),
      });
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const wrong = new Uint8Array(bytes);
      wrong[bit >> 3] = (wrong[bit >> 3] as number) ^ (1 << (bit & 7));
      await refuse(wrong, `bit ${bit}`);
    }
    for (let length = 0; length < bytes.length; length++)
      await refuse(bytes.subarray(0, length), `${length}`);
    await refuse(concat([bytes, new Uint8Array(1)]), "a byte more");
    await refuse(concat([bytes, bytes]), "twice");
    expect(disk.nextOperation).toBe(operations);
    expect(writer.nextLsn).toBe(1);
    await writer.appendReplicated(present(entry));
    await writer.close();
  });

  it("are refused with a gap, other LSNs than the entry names, and other sequences than follow here", async () => {
    const entries = await written([["a"], ["b"], ["c"]]);
    const [first, second, third] = entries.map((entry) => present(entry));
    const disk = new SimDisk();
    const writer = await open(disk, new LogAhead());
    const wrong = (entry: unknown) => writer.appendReplicated(entry as CommittedBatch);
    await expect(wrong(second)).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
      message: expect.stringContaining("LSN 0"),
    });
    await writer.appendReplicated(present(first));
    const operations = disk.nextOperation;
    for (const entry of [
      third,
      { ...second, lastLsn: 3 },
      { ...third, firstLsn: 2 },
      { firstLsn: 2, lastLsn: 3, bytes: concat([present(third).bytes, present(second).bytes]) },
      { firstLsn: 2, lastLsn: 3, bytes: concat([present(second).bytes, present(second).bytes]) },
      { firstLsn: 1, lastLsn: 2, bytes: present(second).bytes },
      { firstLsn: 0, lastLsn: 1, bytes: present(first).bytes },
      { firstLsn: 3, lastLsn: 2, bytes: present(first).bytes },
      { firstLsn: 2, lastLsn: 2, bytes: "text" },
      undefined,
    ])
      await expect(wrong(entry), JSON.stringify(entry)).rejects.toMatchObject({
        code: expect.stringMatching(/^KAYA_(CORRUPTION|INVALID_ARGUMENT)$/),
      });
    // The same LSN, and another sequence: a batch of two came before it.
    const other = new LogAhead();
    const elsewhere = await open(new SimDisk(), other);
    await elsewhere.append({ type: "batch", operations: [put("x"), put("y")] });
    await elsewhere.append(put("b"));
    await elsewhere.close();
    const refused = wrong(other.entries[1]);
    await expect(refused).rejects.toMatchObject({
      code: "KAYA_CORRUPTION",
      message: expect.stringContaining("sequence 3, where 2 must follow"),
    });
    expect(disk.nextOperation).toBe(operations);
    expect(writer.nextLsn).toBe(2);
    await writer.close();
  });

  it("are refused where one is over what this log reads", async () => {
    const ahead = new LogAhead();
    const elsewhere = await open(new SimDisk(), ahead);
    await elsewhere.append(put("a", fill(300)));
    await elsewhere.close();
    const writer = await open(new SimDisk(), new LogAhead(), { maxRecordBytes: 100 });
    await expect(writer.appendReplicated(present(ahead.entries[0]))).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
      message: expect.stringContaining("wal.maxRecordBytes"),
    });
    await writer.close();
  });
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
