import { expect } from "vitest";
import { KayaError, type KayaErrorCode, type KeyValue } from "../../src/index.js";

/** Latin-1 text sorts as the bytes that it stands for do. */
export const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

export const text = (value: Uint8Array | undefined): string | undefined =>
  value && Buffer.from(value).toString("utf8");

export async function entriesOf(scan: AsyncIterable<KeyValue>): Promise<[key: string, value: string][]> {
  const entries: [string, string][] = [];
  for await (const { key, value } of scan) entries.push([latin1(key), latin1(value)]);
  return entries;
}

export async function keysOf(scan: AsyncIterable<KeyValue>): Promise<string[]> {
  return (await entriesOf(scan)).map(([key]) => key);
}

/** The KayaError that it rejects with, whose code is checked. */
export async function rejection(code: KayaErrorCode, promise: Promise<unknown>): Promise<KayaError> {
  const error = await promise.then(
    () => "it resolved",
    (reason: unknown) => reason,
  );
  if (!KayaError.is(error)) throw new Error(`expected ${code}, got ${error}`, { cause: error });
  expect(error.code, error.message).toBe(code);
  return error;
}

export async function pagesOf<T>(pages: AsyncIterable<T[]>): Promise<T[][]> {
  const all: T[][] = [];
  for await (const page of pages) all.push(page);
  return all;
}
