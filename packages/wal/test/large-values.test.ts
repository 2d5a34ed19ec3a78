import type { KayaError } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { recoverWal, type WalPayload, type WalRecord, WalWriter } from "../src/index.js";
import { batch, bytes, del, mutationsOf, put, segmentPath } from "./support.js";

const LOG = segmentPath(1);
const LARGE = 100;

/** A put with so many bytes, none of them alike. */
function putOf(key: string, length: number): Extract<WalPayload, { readonly type: "put" }> {
  return { type: "put", key: bytes(key), value: Uint8Array.from({ length }, (_, i) => i * 7 + key.length) };
}

/** Small ones, large ones beside each other, at the beginning, in the middle and at the end. */
const MIXED: readonly WalPayload[] = [
  putOf("first", LARGE),
  putOf("second", 3 * LARGE),
  put("small"),
  del("gone"),
  putOf("just below", LARGE - 1),
  batch(putOf("in a batch", 2 * LARGE), put("beside it")),
  putOf("", LARGE),
  { ...putOf("expiring", 2 * LARGE), expiresAt: 1_767_225_600_000 },
  { ...putOf("small and expiring", 3), expiresAt: Number.MAX_SAFE_INTEGER },
  put("another"),
  putOf("last", LARGE),
];

async function open(disk = new SimDisk(), options = {}): Promise<WalWriter> {
  return WalWriter.open({}, disk, { largeValueBytes: LARGE, ...options });
}

async function recordsOf(disk: SimDisk): Promise<WalRecord[]> {
  const records: WalRecord[] = [];
  await recoverWal({}, disk, { onRecord: ({ record }) => void records.push(structuredClone(record)) });
  return records;
}

describe("large values", () => {
  it("go to the disk in one write with all that gathered, as they would in any other log", async () => {
    const [disk, other] = [new SimDisk(), new SimDisk()];
    for (const [each, largeValueBytes] of [
      [disk, LARGE],
      [other, 1_000_000],
    ] as const) {
      const writer = await open(each, { largeValueBytes });
      const from = each.nextOperation;
      const results = await Promise.all(MIXED.map((payload) => writer.append(payload)));
      expect(mutationsOf(each, from).filter((line) => line.includes("append"))).toEqual([`append ${LOG}`]);
      expect(results.map(({ offset, encodedLength }) => offset + encodedLength)).toEqual([
        ...results.slice(1).map(({ offset }) => offset),
        writer.byteLength,
      ]);
      await writer.close();
    }
    expect(await recordsOf(disk)).toEqual(await recordsOf(other));
    const files = await Promise.all([disk, other].map(readLog));
    expect(files[0]).toEqual(files[1]);
  });

  it("may be changed by their caller once append has returned: neither the log nor the record has it", async () => {
    const disk = new SimDisk();
    const seen: WalRecord[] = [];
    const writer = await open(disk, { onCommit: (record: WalRecord) => void seen.push(record) });
    const [given, expected] = [putOf("key", 5 * LARGE), putOf("key", 5 * LARGE)];
    const appended = writer.append(given);
    given.value.fill(0xee);
    given.key.fill(0xee);
    await appended;
    const records = [{ lsn: 1, sequence: 1, payload: expected }];
    expect(seen).toEqual([{ ...records[0], payload: { ...expected, ownsValue: true } }]);
    expect(await recordsOf(disk)).toEqual(records);
    await writer.close();
  });

  it("are for onCommit to keep, and no other bytes are", async () => {
    const kept: Uint8Array[] = [];
    const owned: boolean[] = [];
    const onCommit = ({ payload }: WalRecord): void => {
      if (payload.type !== "put") return;
      owned.push(payload.ownsValue === true);
      if (payload.ownsValue) kept.push(payload.value);
    };
    const writer = await open(new SimDisk(), { onCommit });
    for (let round = 0; round < 3; round++) {
      await Promise.all(MIXED.map((payload) => writer.append(payload)));
    }
    const large = MIXED.flatMap((payload) => (payload.type === "put" ? [payload.value] : []));
    expect(owned).toEqual([0, 1, 2].flatMap(() => large.map(({ length }) => length >= LARGE)));
    // The buffer of the batch was used again meanwhile.
    const expected = large.filter(({ length }) => length >= LARGE);
    expect(kept).toEqual([0, 1, 2].flatMap(() => expected));
    await writer.close();
  });

  it("that are not written leave nothing behind, and are told of as any other", async () => {
    const disk = new SimDisk();
    const writer = await open(disk);
    await writer.append(put("before"));
    disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 150 });
    const failed = await Promise.all(MIXED.map((payload) => codeOf(writer.append(payload))));
    expect(new Set(failed)).toEqual(new Set(["KAYA_DISK_FULL"]));
    const again = await Promise.all(MIXED.map((payload) => writer.append(payload)));
    expect(again[0]?.lsn).toBe(2);
    await writer.close();
    expect(await recordsOf(disk)).toHaveLength(1 + MIXED.length);
  });

  it("that grow while they are copied are refused, and the log goes on", async () => {
    const writer = await open();
    const { key, value } = putOf("key", 2 * LARGE);
    let length = value.length;
    Object.defineProperty(value, "length", { get: () => ++length });
    expect(await codeOf(writer.append({ type: "put", key, value }))).toBe("KAYA_INVALID_ARGUMENT");
    expect((await writer.append(putOf("behind", LARGE))).lsn).toBe(1);
    await writer.close();
  });

  it("begin where largeValueBytes says, which is a whole number above 0", async () => {
    for (const largeValueBytes of [0, -1, 1.5, Number.NaN, "100"]) {
      expect(await codeOf(open(new SimDisk(), { largeValueBytes }))).toBe("KAYA_INVALID_ARGUMENT");
    }
  });
});

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "resolved",
    (error: KayaError) => error.code,
  );
}

async function readLog(disk: SimDisk): Promise<Uint8Array> {
  const file = await disk.open(LOG, { readOnly: true });
  const content = new Uint8Array(await file.length());
  await file.readAt(0, content);
  await file.close();
  return content;
}
