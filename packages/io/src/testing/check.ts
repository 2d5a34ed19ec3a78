import assert from "node:assert/strict";
import { KayaError, type KayaErrorCode } from "@kaya/core";
import type { Disk, DiskFile, OpenOptions } from "../disk.js";

/** The tools of a check: a fresh disk, and a way to open files that are closed after it. */
export interface CheckContext {
  readonly disk: Disk;
  /** Creates the file unless `options` say otherwise. */
  open(path: string, options?: OpenOptions): Promise<DiskFile>;
}

export interface Check {
  /** The behaviour, as a sentence. */
  readonly name: string;
  run(context: CheckContext): Promise<void>;
}

/** Runs a check and closes what it opened, also where it failed. */
export async function runCheck(check: Check, disk: Disk): Promise<void> {
  const opened: DiskFile[] = [];
  const open = async (path: string, options: OpenOptions = { create: true }) => {
    const file = await disk.open(path, options);
    opened.push(file);
    return file;
  };
  try {
    await check.run({ disk, open });
  } finally {
    await Promise.all(opened.map((file) => file.close()));
  }
}

/** Asserts that a promise rejects with a KayaError of this code. */
export async function rejectsWith(code: KayaErrorCode, promise: Promise<unknown>): Promise<void> {
  const outcome = await promise.then(
    () => "it resolved",
    (error: unknown) => error,
  );
  assert.ok(KayaError.is(outcome), `expected a KayaError ${code}, but: ${String(outcome)}`);
  assert.equal(outcome.code, code, outcome.message);
  assert.ok(outcome.message.length > 0, "an error needs a message");
}

/** ASCII text as bytes. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** So many bytes that repeat only after 251, a prime: a shifted or swapped block shows. */
export function pattern(length: number, start = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (start + i) % 251);
}

export async function readAll(file: DiskFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(await file.length());
  assert.equal(await file.readAt(0, bytes), bytes.length);
  return bytes;
}

/** Asserts the bytes of a file. */
export async function holds(file: DiskFile, expected: string | Uint8Array): Promise<void> {
  assert.deepEqual(await readAll(file), typeof expected === "string" ? text(expected) : expected);
}
