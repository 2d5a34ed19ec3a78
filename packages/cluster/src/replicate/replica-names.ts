import { randomBytes } from "node:crypto";
import type { Lsn } from "@kaya/core";
import type { BlobOptions, BlobStore } from "../blob-store.js";
import { digits } from "../shipment/object-name.js";

/**
 * The objects of a replica. Each belongs to one run: one process that ships, from its beginning to its end. Nobody else stores under its name, so
 * two processes that ship into one store by mistake never touch each other's objects.
 *
 * - `run/<run>`: where the run began, and which run it continues;
 * - `copy/<run>/<lsn>-<time>`: names the tables of a base;
 * - `tables/<run>/<unique>`: a table; bases of later runs may name it;
 * - `log/<run>/<first LSN>-<last LSN>-<time>`: records;
 * - `end/<run>/<lsn>`: the run was closed, and had everything up to there.
 */
export const RUNS = "run/";

const RUN = /^run\/([0-9]{16})-([0-9a-f]{8})$/;
const COPY = /^copy\/([0-9]{16}-[0-9a-f]{8})\/([0-9]{16})-([0-9]{16})$/;
const LOG = /^log\/([0-9]{16}-[0-9a-f]{8})\/([0-9]{16})-([0-9]{16})-([0-9]{16})$/;
const END = /^end\/([0-9]{16}-[0-9a-f]{8})\/([0-9]{16})$/;

/** A base, by its name. */
export interface CopyName {
  readonly name: string;
  readonly run: string;
  readonly lsn: Lsn;
  readonly time: number;
}

/** Some records, by the name of their object. */
export interface ChunkName {
  readonly name: string;
  readonly run: string;
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly time: number;
}

/** A run that comes behind `last`; undefined: the first. */
export function newRun(last: string | undefined): string {
  const number = last === undefined ? 1 : runNumber(last) + 1;
  return `${digits(number)}-${randomBytes(4).toString("hex")}`;
}

export function runNumber(run: string): number {
  return Number(run.slice(0, run.indexOf("-")));
}

export function runObject(run: string): string {
  return RUNS + run;
}

export function endObject(run: string, lsn: Lsn): string {
  return `end/${run}/${digits(lsn)}`;
}

export function tableFolder(run: string): string {
  return `tables/${run}`;
}

export function copyObject({ run, lsn, time }: Omit<CopyName, "name">): string {
  return `copy/${run}/${digits(lsn)}-${digits(time)}`;
}

export function chunkObject({ run, firstLsn, lastLsn, time }: Omit<ChunkName, "name">): string {
  return `log/${run}/${digits(firstLsn)}-${digits(lastLsn)}-${digits(time)}`;
}

/** The runs, oldest first. */
export async function listRuns(store: BlobStore, options?: BlobOptions): Promise<string[]> {
  const runs: string[] = [];
  for await (const { name } of store.list(RUNS, options))
    if (RUN.test(name)) runs.push(name.slice(RUNS.length));
  return runs;
}

/** The bases, of all runs or of one; of each run the oldest first. */
export async function listCopies(store: BlobStore, run?: string, options?: BlobOptions): Promise<CopyName[]> {
  const copies: CopyName[] = [];
  for await (const { name } of store.list(run === undefined ? "copy/" : `copy/${run}/`, options)) {
    const [, of, lsn, time] = COPY.exec(name) ?? [];
    if (of !== undefined) copies.push({ name, run: of, lsn: Number(lsn), time: Number(time) });
  }
  return copies;
}

/** The chunks of the log, of all runs or of one; of each run the oldest first. */
export async function listChunks(
  store: BlobStore,
  run?: string,
  options?: BlobOptions,
): Promise<ChunkName[]> {
  const chunks: ChunkName[] = [];
  for await (const { name } of store.list(run === undefined ? "log/" : `log/${run}/`, options)) {
    const [, of, first, last, time] = LOG.exec(name) ?? [];
    if (of === undefined) continue;
    chunks.push({ name, run: of, firstLsn: Number(first), lastLsn: Number(last), time: Number(time) });
  }
  return chunks;
}

/** Up to where each run that was closed had everything. */
export async function listEnds(store: BlobStore, options?: BlobOptions): Promise<Map<string, Lsn>> {
  const ends = new Map<string, Lsn>();
  for await (const { name } of store.list("end/", options)) {
    const [, run, lsn] = END.exec(name) ?? [];
    if (run !== undefined) ends.set(run, Number(lsn));
  }
  return ends;
}
