import type { Lsn } from "@kaya/core";
import type { BlobOptions, BlobStore } from "../blob-store.js";
import {
  type ChunkName,
  type CopyName,
  listChunks,
  listCopies,
  listEnds,
  listRuns,
} from "./replica-names.js";
import { type Run, readRun } from "./run.js";

/** A run in the chain of runs that leads to the newest state of a generation. */
export interface ChainedRun {
  readonly run: Run;
  /** The records after this LSN come from the next run. */
  readonly limit: Lsn;
  /** In the order of their first records. */
  readonly chunks: readonly ChunkName[];
}

/** A history without a gap: its bases, and all records after its first base. */
export interface Generation {
  /** The name of its first run. */
  readonly generation: string;
  /** The process that shipped last: host, process and directory. */
  readonly by: string;
  /** Oldest first; at least one. */
  readonly copies: readonly CopyName[];
  /** Oldest first. */
  readonly chain: readonly ChainedRun[];
  /** The last record that can be restored. */
  readonly lastLsn: Lsn;
  /** When the newest object was shipped, in milliseconds since 1970. */
  readonly lastTime: number;
}

/** Reads all generations that have a base, oldest first. @throws KayaError KAYA_CORRUPTION, KAYA_IO */
export async function readCatalog(store: BlobStore, options?: BlobOptions): Promise<readonly Generation[]> {
  const runs: Run[] = [];
  for (const name of await listRuns(store, options)) runs.push(await readRun(store, name, options));
  const copies = await listCopies(store, undefined, options);
  const chunks = await listChunks(store, undefined, options);
  const ends = await listEnds(store, options);
  const names = [...new Set(runs.map(({ generation }) => generation))];
  return names.flatMap((generation) => {
    const own = runs.filter((run) => run.generation === generation);
    const found = generationOf(own, { copies, chunks, ends });
    return found === undefined ? [] : [found];
  });
}

interface Listed {
  readonly copies: readonly CopyName[];
  readonly chunks: readonly ChunkName[];
  readonly ends: ReadonlyMap<string, Lsn>;
}

/** @param runs the runs of one generation, oldest first */
function generationOf(runs: readonly Run[], listed: Listed): Generation | undefined {
  const chain = chainOf(runs, listed);
  const last = chain.at(-1);
  const copies = chain.flatMap(({ run, limit }) =>
    listed.copies.filter((copy) => copy.run === run.run && copy.lsn <= limit),
  );
  if (last === undefined || copies.length === 0) return undefined;
  const lsns = chain.flatMap(({ limit, chunks }) => chunks.map(({ lastLsn }) => Math.min(lastLsn, limit)));
  const times = [...copies, ...chain.flatMap(({ chunks }) => chunks)].map(({ time }) => time);
  return {
    generation: last.run.generation,
    by: last.run.by,
    copies,
    chain,
    // The `end` object may have a higher LSN than all other objects. Then objects are missing, and a restore reports that.
    lastLsn: Math.max(...lsns, ...copies.map(({ lsn }) => lsn), listed.ends.get(last.run.run) ?? 0),
    lastTime: Math.max(...times),
  };
}

function chainOf(runs: readonly Run[], { chunks, copies }: Listed): ChainedRun[] {
  const byName = new Map(runs.map((run) => [run.run, run]));
  const hasShipped = ({ run }: Run) => [...chunks, ...copies].some((each) => each.run === run);
  const chain: ChainedRun[] = [];
  let limit: Lsn = Number.MAX_SAFE_INTEGER;
  // A run that shipped nothing is skipped: no later run continues it.
  for (let run = [...runs].reverse().find(hasShipped); run !== undefined; ) {
    const { run: name, continues } = run;
    const own = chunks
      .filter((chunk) => chunk.run === name && chunk.firstLsn <= limit)
      .sort((a, b) => a.firstLsn - b.firstLsn || a.lastLsn - b.lastLsn);
    chain.unshift({ run, limit, chunks: own });
    limit = continues?.lsn ?? 0;
    // The earlier run may be absent: it is removed when a later base has all of its records.
    run = continues && byName.get(continues.run);
  }
  return chain;
}
