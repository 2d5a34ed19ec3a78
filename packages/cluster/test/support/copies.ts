import { Engine } from "@kaya/engine";
import { SimDisk } from "@kaya/io";
import { expect } from "vitest";
import { type BlobStore, type ReplicateOptions, restore } from "../../src/index.js";

/** The replication reads the log only when a test asks for it. */
export const QUIET: ReplicateOptions = { intervalMs: 86_400_000 };

export type Rows = Record<string, string>;

export async function rowsOf(engine: Engine): Promise<Rows> {
  const rows: Rows = {};
  for await (const { key, value } of engine.scan())
    rows[Buffer.from(key).toString()] = Buffer.from(value).toString();
  return rows;
}

export async function namesIn(store: BlobStore, prefix = ""): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list(prefix)) names.push(name);
  return names;
}

export async function restoredRows(store: BlobStore, lsn?: number): Promise<{ rows: Rows; lsn: number }> {
  const disk = new SimDisk();
  const result = await restore(store, { disk, ...(lsn !== undefined && { lsn }) });
  const copy = await Engine.open({}, disk);
  const rows = await rowsOf(copy);
  expect(copy.stats().lastLsn).toBe(result.lsn);
  await copy.close();
  return { rows, lsn: result.lsn };
}

export async function bytesOf(disk: SimDisk, path: string): Promise<Buffer> {
  const file = await disk.open(path, { readOnly: true });
  const bytes = Buffer.alloc(await file.length());
  await file.readAt(0, bytes);
  await file.close();
  return bytes;
}

export async function replaceBytes(
  disk: SimDisk,
  path: string,
  bytes: Uint8Array | undefined,
): Promise<void> {
  await disk.remove(path);
  if (bytes === undefined) return;
  const file = await disk.open(path, { create: true });
  await file.append(bytes);
  await file.close();
}
