import type { BlobOptions, BlobStore } from "../blob-store.js";
import { readBase } from "./base-object.js";
import { epochDigits } from "./object-name.js";

/** The bases that stay. */
export interface CollectBasesOptions extends BlobOptions {
  /** Bases that stay, with their tables: the one that the log names, and any other base that a node may be loading. */
  readonly keep: readonly string[];
  /** The epoch of the calling writer. Objects of later epochs stay: their writer may be about to name them. */
  readonly epoch: number;
}

/**
 * Removes bases, and tables that no remaining base names. The writer calls it after the log names the newest base, and not while it makes
 * another base.
 *
 * It is safe even if the caller is no longer the writer: a later writer stores under names of its own epoch, which stay. It reuses only
 * tables of the base that the log named at its claim, and that base is in `keep`.
 *
 * @returns the number of removed objects
 * @throws KayaError the store's errors, and KAYA_CORRUPTION if a base in `keep` is damaged: then nothing was removed
 */
export async function collectBases(
  store: BlobStore,
  { keep, epoch, signal }: CollectBasesOptions,
): Promise<number> {
  const pass = { ...(signal && { signal }) };
  const kept = new Set<string>(keep);
  for (const name of keep)
    for (const { object } of (await readBase(store, name, pass)).tables) kept.add(object);
  // Each base is removed before its tables. So a base in the store always has all of its tables.
  return (await sweep("base/")) + (await sweep("table/"));

  async function sweep(folder: string): Promise<number> {
    const end = folder + epochDigits(epoch + 1);
    const garbage: string[] = [];
    for await (const { name } of store.list(folder, pass)) {
      if (name >= end) break;
      if (!kept.has(name)) garbage.push(name);
    }
    for (const name of garbage) await store.delete(name, pass);
    return garbage.length;
  }
}
