import { randomBytes } from "node:crypto";
import type { Lsn } from "@kaya/core";
import type { BlobOptions, BlobStore } from "../blob-store.js";
import { digits } from "../shipment/object-name.js";

/**
 * The objects of a replica. Each belongs to one run: one process that ships, from its start to its end. No other process stores under the
 * name of a run. So two processes that ship into one store by mistake never touch each other's objects.
 *
 * - `run/<run>`: where the run began, and which run it continues;
 * - `copy/<run>/<lsn>-<time>`: a base: names its tables;
 * - `tables/<run>/<unique>`: a table; bases of later runs may name it;
 * - `log/<run>/<first LSN>-<last LSN>-<time>`: records;
 * - `end/<run>/<lsn>`: the run was closed, and had shipped everything up to this LSN.
 */
export const RUNS = "run/";

const RUN = /^run\/([0-9]{16})-([0-9a-f]{8})$/;
const COPY = /^copy\/([0-9]{16}-[0-9a-f]{8})\/([0-9]{16})-([0-9]{16})$/;
const LOG = /^log\/([0-9]{16}-[0-9a-f]{8})\/([0-9]{16})-([0-9]{16})-([0-9]{16})$/;
const END = /^end\/([0-9]{16}-[0-9a-f]{8})\/([0-9]{16})$/;

/** The parts of the name of a base. */
export interface CopyName {
  readonly name: string;
  readonly run: string;
  readonly lsn: Lsn;
  readonly time: number;
}

/** The parts of the name of a chunk of the log. */
export interface ChunkName {
  readonly name: string;
  readonly run: string;
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly time: number;
}

/** The name of a new run, which sorts after `last`; undefined: the first run. */
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

/** The bases of all runs, or of one; those of each run oldest first. */
export async function listCopies(store: BlobStore, run?: string, options?: BlobOptions): Promise<CopyName[]> {
  const copies: CopyName[] = [];
  for await (const { name } of store.list(run === undefined ? "copy/" : `copy/${run}/`, options)) {
    const [, of, lsn, time] = COPY.exec(name) ?? [];
    if (of !== undefined) copies.push({ name, run: of, lsn: Number(lsn), time: Number(time) });
  }
  return copies;
}

/** The chunks of the log of all runs, or of one; those of each run oldest first. */
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

/** The last LSN of each run that was closed. */
export async function listEnds(store: BlobStore, options?: BlobOptions): Promise<Map<string, Lsn>> {
  const ends = new Map<string, Lsn>();
  for await (const { name } of store.list("end/", options)) {
    const [, run, lsn] = END.exec(name) ?? [];
    if (run !== undefined) ends.set(run, Number(lsn));
  }
  return ends;
}
