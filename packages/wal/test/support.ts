import { setImmediate } from "node:timers/promises";
import type { WalConfig } from "@kaya/core";
import { type Disk, SimDisk } from "@kaya/io";
import {
  encodeRecord,
  operationCount,
  type RecoveredRecord,
  type WalOperation,
  type WalPayload,
  type WalRecord,
} from "../src/index.js";
import { QUARANTINE_DIR, segmentPath, WAL_DIR } from "../src/segments.js";

export { QUARANTINE_DIR, segmentPath, WAL_DIR };

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const fill = (length: number, value = 0x61): Uint8Array => new Uint8Array(length).fill(value);

export const put = (key: string, value: string | Uint8Array = `value of ${key}`): WalOperation => ({
  type: "put",
  key: bytes(key),
  value: typeof value === "string" ? bytes(value) : value,
});
export const putUntil = (expiresAt: number, key: string, value = `value of ${key}`): WalOperation => ({
  type: "put",
  key: bytes(key),
  value: bytes(value),
  expiresAt,
});
export const del = (key: string): WalOperation => ({ type: "delete", key: bytes(key) });
export const delRange = (start: string, end?: string): WalOperation => ({
  type: "deleteRange",
  start: bytes(start),
  end: end === undefined ? undefined : bytes(end),
});
export const noop: WalPayload = { type: "noop" };
export const batch = (...operations: WalOperation[]): WalPayload => ({ type: "batch", operations });

/** A fault that a test did not ask for: the value must be there. */
export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the test expects a value here");
  return value;
}

/** Records as a writer would number them, from `lsn` and `sequence` on. */
export function numbered(payloads: readonly WalPayload[], lsn = 1, sequence = 1): WalRecord[] {
  let next = sequence;
  return payloads.map((payload, index) => {
    const record = { lsn: lsn + index, sequence: next, payload };
    next += operationCount(payload);
    return record;
  });
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export const encodeAll = (records: readonly WalRecord[]): Uint8Array =>
  concat(records.map((r) => encodeRecord(r)));

/** A durable log whose segments hold these payloads, numbered through. Gives the records. */
export function writeLog(
  disk: SimDisk,
  segments: readonly (readonly WalPayload[])[],
  firstId = 1,
): WalRecord[] {
  const records = numbered(segments.flat());
  let used = 0;
  for (const [index, segment] of segments.entries()) {
    disk.writeFile(segmentPath(firstId + index), encodeAll(records.slice(used, used + segment.length)));
    used += segment.length;
  }
  return records;
}

/** What a report or a model holds, in a form that compares and prints well. */
export function plain(records: readonly (RecoveredRecord | WalRecord)[]): string[] {
  return records.map((item) => {
    const { lsn, sequence, payload } = "record" in item ? item.record : item;
    return `${lsn}/${sequence} ${describePayload(payload)}`;
  });
}

export function describePayload(payload: WalPayload): string {
  const text = (value: Uint8Array) => {
    const head = Buffer.from(value).toString("latin1");
    return head.length > 24
      ? `${head.slice(0, 8)}…${value.length}:${Buffer.from(value).toString("base64").slice(-8)}`
      : head;
  };
  if (payload.type === "put") {
    const until = payload.expiresAt === undefined ? "" : ` until ${payload.expiresAt}`;
    return `put ${text(payload.key)}=${text(payload.value)}${until}`;
  }
  if (payload.type === "delete") return `delete ${text(payload.key)}`;
  if (payload.type === "noop") return "noop";
  if (payload.type === "deleteRange")
    return `delete from ${text(payload.start)}${payload.end === undefined ? "" : ` to ${text(payload.end)}`}`;
  return `batch[${[...payload.operations].map(describePayload).join(", ")}]`;
}

/** Every file of a disk with its bytes as hex. */
export async function imageOf(disk: SimDisk, dir = ""): Promise<Record<string, string>> {
  const image: Record<string, string> = {};
  for (const entry of await disk.list(dir)) {
    if (entry.isDirectory) Object.assign(image, await imageOf(disk, entry.path));
    else image[entry.path] = Buffer.from(present(disk.readFile(entry.path))).toString("hex");
  }
  return image;
}

/** The same files, all durable. Meant for a disk that just crashed, which has nothing else. */
export function diskOf(image: Record<string, string>): SimDisk {
  const disk = new SimDisk();
  for (const [path, hex] of Object.entries(image)) disk.writeFile(path, Buffer.from(hex, "hex"));
  return disk;
}

export interface Mutation {
  readonly kind: string;
  readonly path: string;
}

/** The mutating operations from number `from` on, as `kind path`. */
export function mutationsOf(disk: SimDisk, from = 0): string[] {
  return disk.events
    .filter((event) => (event.index ?? -1) >= from)
    .map((event) => `${event.kind} ${event.path}`);
}

/** Lets everything run that only waits for a SimDisk: its answers need no more than microtasks. */
export async function settle(): Promise<void> {
  await setImmediate();
}

export type Settled<T> = { readonly value: T } | { readonly error: unknown };

export async function outcome<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

export const SMALL: Partial<WalConfig> = { segmentMaxBytes: 1536, maxRecordBytes: 1536, maxBatchBytes: 1024 };

/** A disk that passes everything on; tests override what they want to go wrong. */
export class PassingDisk implements Disk {
  protected readonly inner: Disk;

  constructor(inner: Disk) {
    this.inner = inner;
  }

  open(...args: Parameters<Disk["open"]>): ReturnType<Disk["open"]> {
    return this.inner.open(...args);
  }
  list(dir: string): ReturnType<Disk["list"]> {
    return this.inner.list(dir);
  }
  rename(from: string, to: string): Promise<void> {
    return this.inner.rename(from, to);
  }
  remove(path: string): Promise<void> {
    return this.inner.remove(path);
  }
  syncDir(dir: string): Promise<void> {
    return this.inner.syncDir(dir);
  }
  lock(path: string): ReturnType<Disk["lock"]> {
    return this.inner.lock(path);
  }
}
