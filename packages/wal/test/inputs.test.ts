import { createContext, runInContext } from "node:vm";
import { KayaError } from "@kaya/core";
import { type Disk, SimDisk } from "@kaya/io";
import { afterEach, describe, expect, it } from "vitest";
import {
  assertOneStoreOn,
  encodeRecord,
  inspectRecords,
  inspectWal,
  inspectWalPath,
  listQuarantine,
  listSegments,
  makeNameDurable,
  OperationsBuffer,
  RecordBuffer,
  readLog,
  readLogHistory,
  readRecordFile,
  readSealedFile,
  recoverWal,
  type WalPayload,
  type WalRecord,
  WalWriter,
  writeSealedFile,
} from "../src/index.js";
import { batch, bytes, encodeAll, noop, put, segmentPath } from "./support.js";

const LAST = Number.MAX_SAFE_INTEGER;
const CONFIG = { segmentMaxBytes: 200, maxRecordBytes: 200 };

const polluted = Object.prototype as Record<string, unknown>;
afterEach(() => {
  for (const name of ["dryRun", "after", "trustPageCache"]) delete polluted[name];
});

async function rejection(promise: Promise<unknown>): Promise<KayaError> {
  const error = await promise.then(
    () => "it resolved",
    (reason: unknown) => reason,
  );
  if (!KayaError.is(error, "KAYA_INVALID_ARGUMENT")) throw new Error(`got ${error}`, { cause: error });
  return error;
}

async function recordsOf(disk: SimDisk): Promise<WalRecord[]> {
  const { records } = await recoverWal({}, disk, { dryRun: true });
  return records.map(({ record }) => record);
}

/** An array over shared memory that another thread lets grow while it is looked at: each look at its length finds more. */
function growing(): Uint8Array {
  const options = { maxByteLength: 1024 };
  const buffer = Reflect.construct(SharedArrayBuffer, [4, options]) as SharedArrayBuffer & {
    grow(length: number): void;
  };
  const value = new Uint8Array(buffer);
  Object.defineProperty(value, "length", {
    get: () => {
      buffer.grow(buffer.byteLength + 1);
      return buffer.byteLength;
    },
  });
  return value;
}

describe("bytes", () => {
  it("that grow while they are encoded are refused, and the log goes on", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    await writer.append(put("before"));
    for (const payload of [
      { type: "put", key: bytes("key"), value: growing() },
      { type: "put", key: growing(), value: bytes("value") },
      { type: "put", key: bytes("key"), value: growing(), expiresAt: 1 },
      { type: "put", key: growing(), value: bytes("value"), expiresAt: 1 },
      batch({ type: "put", key: growing(), value: bytes("value"), expiresAt: 1 }),
      { type: "delete", key: growing() },
      { type: "deleteRange", start: growing(), end: undefined },
      { type: "deleteRange", start: bytes(""), end: growing() },
      batch({ type: "put", key: bytes("key"), value: growing() }, put("other")),
      batch({ type: "delete", key: growing() }),
      batch({ type: "deleteRange", start: growing(), end: bytes("b") }),
    ] as const) {
      await rejection(writer.append(payload));
    }
    await writer.append(put("behind"));
    await writer.close();
    expect((await recordsOf(disk)).map(({ payload }) => payload)).toEqual([put("before"), put("behind")]);
  });

  it("that are detached by a getter of the same record are refused, and the log goes on", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    const key = bytes("key");
    const operation = {
      type: "put",
      key: bytes("other"),
      get value() {
        if (key.length > 0) structuredClone(key.buffer, { transfer: [key.buffer as ArrayBuffer] });
        return bytes("value");
      },
    } as const;
    await rejection(writer.append(batch({ type: "delete", key }, operation)));
    await writer.append(put("behind"));
    await writer.close();
    expect(await recordsOf(disk)).toHaveLength(1);
  });

  it("of another realm are bytes", async () => {
    const foreign = runInContext(
      'const one = new Uint8Array([1]); ({ type: "put", key: one, value: one })',
      createContext({}),
    ) as WalPayload;
    const record = { lsn: 1, sequence: 1, payload: foreign };
    const one = new Uint8Array([1]);
    expect(encodeRecord(record)).toEqual(
      encodeRecord({ lsn: 1, sequence: 1, payload: { type: "put", key: one, value: one } }),
    );
  });

  it("whose memory is gone are refused as a key and as a value", async () => {
    const gone = bytes("gone");
    structuredClone(gone.buffer, { transfer: [gone.buffer as ArrayBuffer] });
    for (const payload of [
      { type: "delete", key: gone },
      { type: "put", key: bytes("key"), value: gone },
      batch({ type: "delete", key: gone }),
      { type: "deleteRange", start: gone, end: undefined },
      { type: "deleteRange", start: bytes(""), end: gone },
      batch({ type: "deleteRange", start: gone, end: undefined }),
    ] as const) {
      expect(() => encodeRecord({ lsn: 1, sequence: 1, payload })).toThrow("is gone");
      expect(() => new RecordBuffer().add(1, 1, payload)).toThrow("is gone");
    }
  });
});

describe("a put that expires", () => {
  const until = (expiresAt: unknown) =>
    ({ type: "put", key: bytes("k"), value: bytes("v"), expiresAt }) as Extract<WalPayload, { type: "put" }>;

  it("at no time from 1 to 2^53 - 1 is refused before anything is written, alone and in a batch", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open(CONFIG, disk);
    for (const time of [
      0,
      -1,
      1.5,
      2 ** 53,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      null,
      "5",
      5n,
      new Date(5),
    ]) {
      const said = /expiresAt must be a whole number of milliseconds since 1970, from 1 to 2\^53 - 1/;
      for (const payload of [until(time), batch(until(time))]) {
        expect(() => encodeRecord({ lsn: 1, sequence: 1, payload })).toThrow(said);
        expect((await rejection(writer.append(payload))).code).toBe("KAYA_INVALID_ARGUMENT");
      }
      expect(() => new OperationsBuffer().put(bytes("k"), bytes("v"), time as number)).toThrow(said);
    }
    await writer.close();
    expect(await recordsOf(disk)).toEqual([]);
  });

  it("at another time each time that it is asked is written with one of them, or refused", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    const answering = (...answers: unknown[]) => {
      const put = until(undefined);
      Object.defineProperty(put, "expiresAt", {
        get: () => (answers.length > 1 ? answers.shift() : answers[0]),
      });
      return put;
    };
    expect((await rejection(writer.append(batch(answering(5, 0))))).code).toBe("KAYA_INVALID_ARGUMENT");
    expect((await rejection(writer.append(batch(answering(5, undefined))))).code).toBe(
      "KAYA_INVALID_ARGUMENT",
    );
    await writer.append(answering(7, 0));
    await writer.append(batch(answering(8, 9, 0)));
    await writer.close();
    const [one, two] = (await recordsOf(disk)).map(({ payload }) => payload);
    expect(one).toMatchObject({ expiresAt: 7 });
    expect(two).toMatchObject({ operations: [{ expiresAt: 9 }] });
  });
});

describe("a range delete", () => {
  it("that can hold no key, says no end, or is over the limit is refused before anything is written", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open(CONFIG, disk);
    const range = (start: unknown, end: unknown) => ({ type: "deleteRange", start, end }) as WalPayload;
    const [a, b, none] = [bytes("a"), bytes("b"), bytes("")];
    const wrong: WalPayload[] = [
      range(a, a),
      range(b, a),
      range(bytes("ab"), a),
      range(none, none),
      range(a, none),
      range("a", b),
      range(a, "b"),
      range(a, null),
      range(undefined, b),
      { type: "deleteRange", start: a } as WalPayload,
      range(new Uint8Array(100), new Uint8Array(101)),
    ];
    for (const payload of wrong) {
      await rejection(writer.append(payload));
      await rejection(writer.append({ type: "batch", operations: [put("x"), payload] } as WalPayload));
    }
    expect(() => new OperationsBuffer().deleteRange(b, a)).toThrow("must be less than its end");
    expect(await writer.append(range(a, b))).toMatchObject({ lsn: 1, sequence: 1 });
    await writer.close();
    expect(await recordsOf(disk)).toEqual([{ lsn: 1, sequence: 1, payload: range(a, b) }]);
  });

  it("whose bounds another thread swaps while they are encoded is refused, and the log goes on", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    const end = bytes("b");
    // As if it were changed when it is copied: the length is read right before that.
    let reads = 0;
    Object.defineProperty(end, "length", { get: () => (++reads > 2 ? end.fill(0).byteLength : 1) });
    await rejection(writer.append({ type: "deleteRange", start: bytes("a"), end }));
    expect(end[0]).toBe(0);
    await writer.append(put("behind"));
    await writer.close();
    expect(await recordsOf(disk)).toHaveLength(1);
  });
});

describe("numbers near 2^53 - 1", () => {
  const logUpTo = (lsn: number, id = 1) => {
    const disk = new SimDisk();
    disk.writeFile(segmentPath(id), encodeAll([{ lsn, sequence: lsn, payload: put("a") }]));
    return disk;
  };
  const after = { lsn: LAST - 3, sequence: LAST - 3 };

  it("an LSN that no reader takes is not written", async () => {
    const disk = logUpTo(LAST - 2);
    const writer = await WalWriter.open({}, disk, { after });
    await writer.append(put("b"));
    await rejection(writer.append(batch(put("c"), put("d"))));
    expect(await writer.append(put("e"))).toMatchObject({ lsn: LAST, sequence: LAST });
    const error = await rejection(writer.append(put("f")));
    expect(error.message).toContain("2^53 - 1 is the last");
    await writer.close();
    const again = await WalWriter.open({}, disk, { after });
    expect(again.recovery.lastLsn).toBe(LAST);
    await rejection(again.append(noop));
    await again.close();
  });

  it("a segment that recovery would refuse is not made, by a full segment or by rotate", async () => {
    const disk = logUpTo(1, LAST - 1);
    const writer = await WalWriter.open(CONFIG, disk);
    await writer.rotate();
    await writer.append(put("b", "x".repeat(100)));
    const full = await rejection(writer.append(put("c", "x".repeat(100))));
    expect(full.message).toContain("no segment ids left");
    await rejection(writer.rotate());
    expect(await writer.append(put("d", "x"))).toMatchObject({ segmentId: LAST });
    await writer.close();
    const again = await WalWriter.open(CONFIG, disk);
    expect(again.recovery).toMatchObject({ recordCount: 3, warnings: [] });
    await again.close();
  });

  it("a record with one is not encoded", () => {
    for (const [lsn, sequence] of [
      [LAST + 1, 1],
      [1, LAST + 1],
      [Number.NaN, 1],
      [-1, 1],
    ] as const) {
      expect(() => encodeRecord({ lsn, sequence, payload: noop })).toThrow("must be a whole number");
      expect(() => new RecordBuffer().add(lsn, sequence, noop)).toThrow("must be a whole number");
    }
    const payload = batch(put("a"), put("b"));
    expect(() => new RecordBuffer().add(1, LAST, payload)).toThrow("the last operation's sequence is above");
  });
});

describe("options", () => {
  it("of a polluted Object.prototype are not obeyed", async () => {
    const disk = new SimDisk();
    Object.assign(polluted, { dryRun: true, after: { lsn: 9, sequence: 9 }, trustPageCache: "no mark" });
    const writer = await WalWriter.open({}, disk, {});
    expect(await writer.append(put("a"))).toMatchObject({ lsn: 1 });
    const follower = writer.follow({});
    expect((await follower.next()).value?.lsn).toBe(1);
    await writer.close();
    expect(await recoverWal({}, disk, {})).toMatchObject({ recordCount: 1 });
  });

  it("that nobody knows are refused, wherever options are taken", async () => {
    const disk = new SimDisk();
    const wrong = { afterr: 1 } as object;
    const writer = await WalWriter.open({}, disk);
    expect(() => writer.follow(wrong)).toThrow("unknown option afterr");
    await writer.close();
    await rejection(WalWriter.open({}, disk, wrong));
    await rejection(recoverWal({}, disk, wrong));
    await rejection(recoverWal({}, disk, { onRecord: 5 } as object));
    await rejection(WalWriter.open({}, disk, { onCommit: 5 } as object));
    expect(() => inspectWal(disk, "x", wrong)).toThrow("unknown option afterr");
    expect(() => inspectWal(disk, "x", { from: -1 })).toThrow("from must be a whole number");
    await rejection(inspectWalPath(undefined as unknown as string));
    await rejection(inspectWalPath("a\0b"));
  });
});

describe("a caller without types", () => {
  describe.each([
    ["a proxy that was revoked", "cannot be read"],
    ["nothing", "a disk must have open()"],
    ["half a disk", "a disk must have rename(), remove(), syncDir(), lock()"],
  ])("who gives %s for a disk", (what, message) => {
    const noDisk = () => {
      if (what === "nothing") return null as unknown as Disk;
      if (what === "half a disk") return { open: () => undefined, list: () => [] } as unknown as Disk;
      const { proxy, revoke } = Proxy.revocable(new SimDisk(), {});
      revoke();
      return proxy;
    };
    const after = { lsn: 0, sequence: 0 };
    const reading = { maxRecordBytes: 1, after, through: 1, onRecord: () => undefined };
    const functions: Record<string, (disk: Disk) => Promise<unknown>> = {
      "WalWriter.open": (disk) => WalWriter.open({}, disk),
      recoverWal: (disk) => recoverWal({}, disk),
      readLog: (disk) => readLog(disk, reading),
      readLogHistory,
      readRecordFile: (disk) => readRecordFile(disk, "x", 1, () => undefined).next(),
      inspectWal: async (disk) => inspectWal(disk, "x"),
      inspectRecords: async (disk) => inspectRecords(disk, "x"),
      listQuarantine,
      listSegments,
      assertOneStoreOn: (disk) => assertOneStoreOn(disk, []),
      readSealedFile: (disk) => readSealedFile(disk, "x"),
      writeSealedFile: (disk) => writeSealedFile(disk, "x", "x\n"),
      makeNameDurable: (disk) => makeNameDurable(disk, "x"),
    };

    it.each(Object.entries(functions))("is told so by %s", async (_name, call) => {
      expect((await rejection(call(noDisk()))).message).toContain(message);
    });
  });

  it("makes no writer by its constructor", () => {
    expect(() => Reflect.construct(WalWriter, [])).toThrow("WalWriter.open");
    expect(() => Reflect.construct(WalWriter, [{}, {}, {}, {}, {}, {}])).toThrow("WalWriter.open");
  });

  it("gets a KayaError for what throws when it is looked at", async () => {
    const writer = await WalWriter.open({}, new SimDisk());
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const getter = {
      get type(): never {
        throw new RangeError("not now");
      },
    };
    for (const payload of [proxy, getter, { type: "batch", operations: [proxy] }]) {
      const error = await rejection(writer.append(payload as WalPayload));
      expect(error.cause).toBeInstanceOf(Error);
      expect(() => encodeRecord({ lsn: 1, sequence: 1, payload: payload as WalPayload })).toThrow(
        "cannot be read",
      );
    }
    await writer.append(put("a"));
    await writer.close();
  });
});
