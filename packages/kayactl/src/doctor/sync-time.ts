import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { NodeDisk } from "@kaya/io";
import { formatDuration } from "../units.js";
import { type Finding, findingsOf } from "./finding.js";
import type { Place } from "./place.js";

const WRITES = 24;
const BYTES = 4096;
/** A slow disk gets fewer. */
const MOST_MS = 3000;

/** A write and its fsync through to a disk take longer, even where the disk has a cache that survives a power cut. */
const IMPLAUSIBLE_MS = 0.015;
const SLOW_MS = 20;
const VERY_SLOW_MS = 250;
/** Half a turn of a disk with 15,000 turns a minute. */
const HALF_TURN_MS = 2;

/** What was measured in a directory that is gone again. */
export interface SyncTimes {
  /** Each of a small write and its fsync, in order. */
  readonly timesMs: readonly number[];
  readonly lock: "taken" | string;
}

/**
 * Writes and syncs a small file in a new directory beside the data, and takes a lock there.
 * @throws the system's error where no directory can be made there
 */
export async function measureSync(beside: string, signal: AbortSignal | undefined): Promise<SyncTimes> {
  const directory = await mkdtemp(join(beside, ".kayactl-doctor-"));
  try {
    return { timesMs: await timesIn(directory, signal), lock: await tryLock(directory) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** By synchronous calls: the way to another thread and back takes longer than an fsync that does nothing. */
async function timesIn(directory: string, signal: AbortSignal | undefined): Promise<number[]> {
  const fd = openSync(join(directory, "fsync"), "wx");
  try {
    const bytes = Buffer.alloc(BYTES, 0x6b);
    const timesMs: number[] = [];
    const started = performance.now();
    while (timesMs.length < WRITES && performance.now() - started < MOST_MS) {
      await nextTurn();
      signal?.throwIfAborted();
      const before = performance.now();
      writeSync(fd, bytes, 0, BYTES, timesMs.length * BYTES);
      fsyncSync(fd);
      timesMs.push(performance.now() - before);
    }
    return timesMs;
  } finally {
    closeSync(fd);
  }
}

async function tryLock(directory: string): Promise<string> {
  const disk = new NodeDisk(directory);
  try {
    const lock = await disk.lock("LOCK");
    await lock.release({});
    return "taken";
  } catch (error) {
    return (error as Error).message;
  } finally {
    await disk.close?.();
  }
}

/** What Linux says of a block device. */
export interface Device {
  readonly isRotational: boolean | undefined;
  /** `write back`: it has a cache that an fsync must empty. */
  readonly cache: string | undefined;
}

export async function deviceOf({ mount }: Place): Promise<Device> {
  if (mount === undefined) return { isRotational: undefined, cache: undefined };
  const read = async (name: string) => {
    // Of a partition, the disk above it has the queue.
    for (const above of ["", "../"]) {
      const path = `/sys/dev/block/${mount.device}/${above}queue/${name}`;
      const text = await readFile(path, "utf8").catch(() => undefined);
      if (text !== undefined) return text.trim();
    }
    return undefined;
  };
  const [rotational, cache] = await Promise.all([read("rotational"), read("write_cache")]);
  const name = basename(await realpath(`/sys/dev/block/${mount.device}`).catch(() => ""));
  // A virtual disk says that it rotates, whatever is below it.
  const isKnown = rotational !== undefined && !/^x?vd/.test(name);
  return { isRotational: isKnown ? rotational === "1" : undefined, cache };
}

/** @param isInMemory whether there is no disk below, and the times mean nothing */
export function judgeSync(
  timesMs: readonly number[],
  { isRotational, cache }: Device,
  isInMemory: boolean,
): Finding {
  const { ok, note, warning, problem } = findingsOf("fsync");
  const sorted = [...timesMs].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? 0;
  const max = sorted.at(-1) ?? 0;
  const times = `median ${duration(median)}, at most ${duration(max)}, of ${sorted.length} writes of 4 KiB`;
  const values = {
    medianMs: rounded(median),
    maxMs: rounded(max),
    count: sorted.length,
    ...(cache !== undefined && { cache }),
  };
  if (isInMemory) return ok(`${times}: in memory it does nothing`, undefined, values);
  if (median < IMPLAUSIBLE_MS)
    return problem(
      `${times}: no disk is that fast, so fsync seems to do nothing`,
      "A power cut can take acknowledged writes. Look for eatmydata, a virtual machine with cache=unsafe, or a mount without barriers.",
      values,
    );
  if (isRotational === true && median < HALF_TURN_MS)
    return note(
      `${times}; the system calls the disk a rotating one, and that is faster than a turn`,
      "If it does rotate, its cache or a controller acknowledges: that has to survive a power cut (a battery).",
      values,
    );
  if (median >= VERY_SLOW_MS || max >= 4 * VERY_SLOW_MS)
    return warning(
      `${times}: very slow`,
      "Each durable write waits that long. Look for another program that syncs, a disk that fails (SMART, dmesg), or a network.",
      values,
    );
  if (median >= SLOW_MS)
    return warning(
      `${times}: slow`,
      "A caller that awaits each durable write gets as many a second as the disk gives fsyncs. Keep many writes under way, or use a faster disk.",
      values,
    );
  if (max >= VERY_SLOW_MS)
    return note(
      `${times}: now and then it is slow`,
      "Durable writes wait as long: look for another program that syncs.",
      values,
    );
  return ok(times, undefined, values);
}

export function judgeLock(lock: SyncTimes["lock"]): Finding {
  const { ok, problem } = findingsOf("lock");
  if (lock === "taken") return ok("a lock can be taken there");
  return problem(
    `no lock can be taken there: ${lock}`,
    "Nothing would keep a second process out. Put the directory on another file system, or see disableLocking (--no-lock).",
  );
}

/** With two digits more where it is short: an fsync that does nothing takes microseconds. */
function duration(ms: number): string {
  return ms < 1 ? `${ms.toFixed(3)} ms` : formatDuration(ms);
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
