import type { BlobOptions, BlobStore } from "../blob-store.js";
import { readBase } from "./base-object.js";
import { epochDigits } from "./object-name.js";

/** The bases that stay. */
export interface CollectBasesOptions extends BlobOptions {
  /** Bases that stay, with their tables: the one that the log names, and any other that somebody may be loading. */
  readonly keep: readonly string[];
  /** The epoch of the writer that calls. Objects of later epochs stay: their writer may be about to name them. */
  readonly epoch: number;
}

/**
 * Removes bases, and tables that no remaining base names. Call it as the writer, after the log names the newest base, and not while this
 * writer makes another one.
 *
 * It is safe although the caller may have lost the log meanwhile: a later writer stores under names of its own epoch, which stay,
 * and uses again only tables of the base that the log named at its claim, which is in `keep`.
 *
 * @returns how many objects were removed
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
  // A base is removed before its tables, so no base is ever there without its tables.
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
