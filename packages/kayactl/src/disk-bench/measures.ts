import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileError } from "../file-error.js";
import { Interrupted } from "../terminal/output.js";
import type { BenchStore } from "./bench-store.js";

/** How long a round goes on, and whether it is still wanted. */
export interface Round {
  /** False once the time of the round is over. @throws Interrupted */
  goesOn(): boolean;
}

/** What one round gave. */
export interface Sample {
  /** In the unit of its measure. */
  readonly value: number;
  /** Each operation alone, in milliseconds, where they were timed. */
  readonly timesMs: readonly number[];
}

export interface Measure {
  readonly name: string;
  readonly unit: "ms" | "per second";
  readonly run: (store: BenchStore, round: Round) => Promise<Sample>;
}

export function roundOf(milliseconds: number, signal: AbortSignal | undefined): Round {
  const end = performance.now() + milliseconds;
  return {
    goesOn: () => {
      if (signal?.aborted) throw new Interrupted();
      return performance.now() < end;
    },
  };
}

/** What is measured, in the order of a round: first what waits for the disk alone, last what reads what the others wrote. */
export const MEASURES: readonly Measure[] = [
  { name: "write and fsync of 4 KiB", unit: "ms", run: rawSync },
  { name: "durable puts, 1 at a time", unit: "per second", run: (store, round) => puts(store, round, 1) },
  { name: "durable puts, 16 in flight", unit: "per second", run: (store, round) => puts(store, round, 16) },
  { name: "durable puts, 256 in flight", unit: "per second", run: (store, round) => puts(store, round, 256) },
  { name: "relaxed puts, 1 at a time", unit: "per second", run: relaxedPuts },
  { name: "gets of random keys", unit: "per second", run: gets },
  { name: "a scan, in entries", unit: "per second", run: scan },
  { name: "opening after a close", unit: "ms", run: opening },
];

const BLOCK_BYTES = 4096;
const BLOCKS = 256;

/** What the disk gives without a store. The file is there before, as the space ahead of a log is: else each fsync would wait for the file system too. */
async function rawSync({ directory }: BenchStore, round: Round): Promise<Sample> {
  const path = join(directory, "fsync");
  const fd = openSync(path, "w");
  try {
    return await syncTimes(fd, round);
  } catch (cause) {
    throw cause instanceof Interrupted ? cause : fileError(path, cause);
  } finally {
    closeSync(fd);
    await rm(path, { force: true });
  }
}

async function syncTimes(fd: number, round: Round): Promise<Sample> {
  const block = Buffer.alloc(BLOCK_BYTES, 0x6b);
  for (let i = 0; i < BLOCKS; i++) writeSync(fd, block, 0, BLOCK_BYTES, i * BLOCK_BYTES);
  fsyncSync(fd);
  const timesMs: number[] = [];
  do {
    await nextTurn(); // the end may be wanted
    const started = performance.now();
    writeSync(fd, block, 0, BLOCK_BYTES, (timesMs.length % BLOCKS) * BLOCK_BYTES);
    fsyncSync(fd);
    timesMs.push(performance.now() - started);
  } while (round.goesOn());
  return { value: median(timesMs), timesMs };
}

async function puts(store: BenchStore, round: Round, inFlight: number): Promise<Sample> {
  const timesMs: number[] = [];
  const started = performance.now();
  const caller = async () => {
    do {
      const before = performance.now();
      await store.put("strict");
      timesMs.push(performance.now() - before);
    } while (round.goesOn());
  };
  await allSettled(Array.from({ length: inFlight }, caller));
  return { value: perSecond(timesMs.length, started), timesMs };
}

async function relaxedPuts(store: BenchStore, round: Round): Promise<Sample> {
  const started = performance.now();
  let count = 0;
  do {
    await store.put("relaxed");
    count++;
    if (count % TURN === 0) await nextTurn();
  } while (round.goesOn());
  const value = perSecond(count, started);
  await store.sync(); // the next measure begins with nothing left to write
  return { value, timesMs: [] };
}

async function gets(store: BenchStore, round: Round): Promise<Sample> {
  const started = performance.now();
  let count = 0;
  do {
    await store.get();
    count++;
    if (count % TURN === 0) await nextTurn();
  } while (round.goesOn());
  return { value: perSecond(count, started), timesMs: [] };
}

async function scan(store: BenchStore, round: Round): Promise<Sample> {
  const started = performance.now();
  let count = 0;
  do {
    for await (const page of store.pages()) {
      count += page.length;
      if (!round.goesOn()) break;
    }
  } while (round.goesOn());
  return { value: perSecond(count, started), timesMs: [] };
}

async function opening(store: BenchStore, round: Round): Promise<Sample> {
  const timesMs: number[] = [];
  do timesMs.push(await store.reopen());
  while (round.goesOn());
  return { value: median(timesMs), timesMs };
}

/** Operations that resolve without a turn of the event loop, until it gets one: else no Ctrl-C would be seen. */
const TURN = 1000;

/** Waits for all of them, and only then rejects with the first failure: nothing is under way any more. */
async function allSettled(callers: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(callers)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}

function perSecond(count: number, started: number): number {
  return count / ((performance.now() - started) / 1000);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
