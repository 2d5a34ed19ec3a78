import type { BlobOptions, BlobStore } from "../blob-store.js";
import { readBase } from "../shipment/base-object.js";
import {
  type ChunkName,
  type CopyName,
  endObject,
  listChunks,
  listCopies,
  listEnds,
  listRuns,
  runObject,
} from "./replica-names.js";
import { type Run, readRun } from "./run.js";

/** Which states stay, and the run that removes the others. */
export interface RetentionOptions extends BlobOptions {
  /** The states since this moment can still be restored; in milliseconds since 1970. */
  readonly before: number;
  /** The run that removes objects. It does not touch objects of later runs. */
  readonly run: string;
}

/**
 * Removes the objects that no restore needs any more. The anchor is the newest base that is older than `before`. It stays, and so do all
 * objects after it.
 *
 * It is safe even if another process has begun to ship in the meantime: each run stores under names of its own, and reuses only tables of
 * the newest base, which stays.
 *
 * @returns the number of removed objects
 * @throws KayaError KAYA_CORRUPTION if a base that stays is damaged: then nothing was removed; the store's errors
 */
export async function removeExpired(store: BlobStore, options: RetentionOptions): Promise<number> {
  const { before, run, signal } = options;
  const pass = { ...(signal && { signal }) };
  const copies = await listCopies(store, undefined, pass);
  const anchor = copies.filter((copy) => copy.time <= before && copy.run <= run).at(-1);
  if (anchor === undefined) return 0;
  const runs = (await listRuns(store, pass)).filter((each) => each <= anchor.run);
  const read = await Promise.all(runs.map((each) => readRun(store, each, pass)));
  const { chunks, kept } = splitChunks(await listChunks(store, undefined, pass), anchor, read);
  const stays = copies.filter((copy) => !isBefore(copy, anchor));
  const garbage = [
    ...copies.filter((copy) => isBefore(copy, anchor)).map(({ name }) => name),
    ...chunks.map(({ name }) => name),
    ...(await unnamedTables(store, stays, run, pass)),
    ...(await finishedRuns(store, runs, anchor, kept, pass)),
  ];
  for (const name of garbage) await store.delete(name, pass);
  return garbage.length;
}

function isBefore(copy: CopyName, anchor: CopyName): boolean {
  return copy.run < anchor.run || (copy.run === anchor.run && copy.name < anchor.name);
}

/** @param runs the runs up to that of the anchor */
function splitChunks(
  all: readonly ChunkName[],
  anchor: CopyName,
  runs: readonly Run[],
): { readonly chunks: readonly ChunkName[]; readonly kept: ReadonlySet<string> } {
  const generations = new Map(runs.map((each) => [each.run, each.generation]));
  const generation = generations.get(anchor.run);
  const isOld = (chunk: ChunkName) =>
    generations.has(chunk.run) && (generations.get(chunk.run) !== generation || chunk.lastLsn <= anchor.lsn);
  const chunks = all.filter(isOld);
  return { chunks, kept: new Set(all.filter((chunk) => !isOld(chunk)).map((chunk) => chunk.run)) };
}

/** The tables, of runs up to this one, that no remaining base names. */
async function unnamedTables(
  store: BlobStore,
  copies: readonly CopyName[],
  run: string,
  pass: BlobOptions,
): Promise<string[]> {
  const named = new Set<string>();
  for (const { name } of copies)
    for (const { object } of (await readBase(store, name, pass)).tables) named.add(object);
  const unnamed: string[] = [];
  for await (const { name } of store.list("tables/", pass)) {
    const [, of = ""] = name.split("/");
    if (of <= run && !named.has(name)) unnamed.push(name);
  }
  return unnamed;
}

/** The runs before the anchor's run of which no records remain. */
async function finishedRuns(
  store: BlobStore,
  runs: readonly string[],
  anchor: CopyName,
  kept: ReadonlySet<string>,
  pass: BlobOptions,
): Promise<string[]> {
  const finished = runs.filter((run) => run !== anchor.run && !kept.has(run));
  const ends = await listEnds(store, pass);
  return finished.flatMap((run) => {
    const end = ends.get(run);
    return end === undefined ? [runObject(run)] : [endObject(run, end), runObject(run)];
  });
}
