import { appendFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { Engine } from "@kaya/engine";
import { encodeRecord } from "@kaya/wal";
import { beforeEach, describe, expect, test } from "vitest";
import { LogTail } from "../src/studio/log-tail.js";
import { absentDirectory, dataDirectory, SEGMENT, VECTOR } from "./helpers.js";

const encoder = new TextEncoder();
const put = (lsn: number, key: string, length = 1) =>
  encodeRecord({
    lsn,
    sequence: lsn,
    payload: { type: "put", key: encoder.encode(key), value: new Uint8Array(length) },
  });

let told: string[] = [];
beforeEach(() => {
  told = [];
});

const sink = {
  changed: (lsn: number, operations: Iterable<{ readonly type: string; readonly key?: Uint8Array }>) => {
    for (const { type, key } of operations) told.push(`${lsn} ${type} ${Buffer.from(key ?? []).toString()}`);
  },
  missed: (records: number) => told.push(`missed ${records}`),
};

const pathOf = (data: string) => join(data, "wal", SEGMENT);

describe("the tail of a log", () => {
  test("begins at the end, tells each record once, and says whether anything was written", async () => {
    const data = await dataDirectory(VECTOR);
    const tail = new LogTail(data);
    const first = await tail.poll(sink);
    expect(await tail.poll(sink)).toBe(first);
    expect(told).toEqual([]);
    await appendFile(pathOf(data), Buffer.concat([put(4, "a"), put(5, "b")]));
    const second = await tail.poll(sink);
    expect(second).not.toBe(first);
    expect(await tail.poll(sink)).toBe(second);
    expect(told).toEqual(["4 put a", "5 put b"]);
  });

  test("waits for the rest of a record", async () => {
    const data = await dataDirectory(VECTOR);
    const tail = new LogTail(data);
    await tail.poll(sink);
    const record = put(4, "a");
    for (const cut of [10, 45]) {
      await appendFile(pathOf(data), record.subarray(0, cut));
      await tail.poll(sink);
      expect(told).toEqual([]);
      await truncate(pathOf(data), VECTOR.length);
    }
    await appendFile(pathOf(data), record.subarray(0, 10));
    await tail.poll(sink);
    await appendFile(pathOf(data), record.subarray(10));
    await tail.poll(sink);
    expect(told).toEqual(["4 put a"]);
  });

  test("reads records in space that was made ahead, whose file does not get longer", async () => {
    const data = await dataDirectory(Buffer.concat([VECTOR, new Uint8Array(4096)]));
    const tail = new LogTail(data);
    const first = await tail.poll(sink);
    const record = put(4, "a");
    await truncate(pathOf(data), VECTOR.length);
    await appendFile(pathOf(data), Buffer.concat([record, new Uint8Array(4096 - record.length)]));
    expect(await tail.poll(sink)).not.toBe(first);
    expect(told).toEqual(["4 put a"]);
  });

  test("goes on where a write was taken back, and another one stands in its place", async () => {
    const data = await dataDirectory(VECTOR);
    const tail = new LogTail(data);
    await tail.poll(sink);
    await appendFile(pathOf(data), put(4, "taken back"));
    await tail.poll(sink);
    await truncate(pathOf(data), VECTOR.length);
    await appendFile(pathOf(data), Buffer.concat([put(4, "longer", 300), put(5, "b")]));
    await tail.poll(sink);
    expect(told).toEqual(["4 put taken back", "missed 1", "5 put b"]);
  });

  test("tells the records that have the place of those that a recovery cut", async () => {
    const data = await dataDirectory(Buffer.concat([VECTOR, put(4, "a"), put(5, "b")]));
    const tail = new LogTail(data);
    await tail.poll(sink);
    await truncate(pathOf(data), VECTOR.length);
    await tail.poll(sink);
    await appendFile(pathOf(data), put(4, "other"));
    await tail.poll(sink);
    expect(told).toEqual(["4 put other"]);
  });

  test("goes on in the next segments, and says how many records came and went in between", async () => {
    const data = await absentDirectory();
    const engine = await Engine.open({
      dataDir: data,
      tables: { autoFlush: false },
      wal: { segmentMaxBytes: 300, maxRecordBytes: 300 },
    });
    await engine.put("before", "1");
    const tail = new LogTail(data);
    await tail.poll(sink);
    for (let i = 0; i < 9; i++) await engine.put(`${i}`, Buffer.alloc(100));
    await tail.poll(sink);
    expect(told).toEqual(Array.from({ length: 9 }, (_, i) => `${i + 2} put ${i}`));
    told = [];
    for (let i = 0; i < 9; i++) await engine.put(`${i}`, Buffer.alloc(100));
    await engine.flush();
    await tail.poll(sink);
    await engine.put("last", "1");
    await tail.poll(sink);
    expect(told).toEqual(["missed 9", "20 put last"]);
    await engine.close();
  });
});
