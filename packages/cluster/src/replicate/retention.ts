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

/** The states that stay, and the run that removes the others. */
export interface RetentionOptions extends BlobOptions {
  /** States from this moment on can still be restored, in milliseconds since 1970. */
  readonly before: number;
  /** The run that removes: nothing of later runs is touched. */
  readonly run: string;
}

/**
 * Removes the objects that no restore needs any more: those before the newest base that is older than `before`. That base and all later objects stay.
 *
 * It is safe although another process may have begun to ship meanwhile: a run stores under names of its own, and uses again only tables of the
 * newest base, which stays.
 *
 * @returns how many objects were removed
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

/** @param runs up to that of the anchor */
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

/** Tables of runs up to this one that no remaining base names. */
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

/** Runs before the anchor's of which no records are left. */
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
