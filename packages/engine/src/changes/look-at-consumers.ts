import type { Lsn } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { readManifest } from "@kaya/lsm";
import { inspectWal, isWarning, listSegments, readLogHistory } from "@kaya/wal";
import { lookSteadily } from "../steady-look.js";
import { type Consumer, Consumers } from "./consumers.js";
import { Registrations } from "./registrations.js";

/** A consumer, as the files of a data directory show it. */
export interface ConsumerLook extends Consumer {
  /**
   * Bytes of the log that the tables already have and that are kept for this consumer, and for those that are
   * further behind.
   */
  readonly keptLogBytes: number;
}

/** Settings of the log that `lookAtConsumers` reads. */
export interface LookAtConsumersOptions {
  /**
   * The largest record of the log. Give it if the log was written with a larger `wal.maxRecordBytes`. Default
   * 32 MiB.
   */
  readonly maxRecordBytes?: number;
  /** Log sequence number of the last record, if it is known: then no segment is read to its end for it. */
  readonly lastLsn?: Lsn;
}

interface LookedAtSegment {
  readonly length: number;
  /** Of its last record; undefined in the open one, which is not dropped. */
  readonly lastLsn: Lsn | undefined;
}

/**
 * The consumers of a data directory, in order of their names, without its lock and without a change: the
 * directory may be open in another process.
 *
 * @throws KayaError KAYA_CORRUPTION if the file of consumers is damaged, KAYA_IO
 */
export function lookAtConsumers(
  disk: Disk,
  options: LookAtConsumersOptions = {},
): Promise<readonly ConsumerLook[]> {
  // What it has acknowledged since its place was read may be dropped by now.
  return lookSteadily(
    disk,
    () => look(disk, options),
    (seen) => seen.some(({ isTruncated }) => isTruncated),
  );
}

async function look(disk: Disk, options: LookAtConsumersOptions): Promise<readonly ConsumerLook[]> {
  const registrations = await Registrations.read(disk);
  if (registrations.positions.size === 0) return [];
  const history = await readLogHistory(disk);
  const covered = (await readManifest(disk)).state.covered.lsn;
  const { segments, firstLsn = covered + 1 } = await lookAtSegments(disk, options);
  const log = {
    history,
    beginsAfter: firstLsn - 1,
    endLsn: 0,
    mayReach: () => false,
    noteFailure: () => undefined,
  };
  return new Consumers(registrations, log, 0).list().map((consumer) => {
    const isKept = ({ lastLsn = Number.POSITIVE_INFINITY }: LookedAtSegment) =>
      !consumer.isTruncated && lastLsn > consumer.lsn && lastLsn <= covered;
    const kept = segments.filter(isKept);
    return { ...consumer, keptLogBytes: kept.reduce((sum, { length }) => sum + length, 0) };
  });
}

/** Where one ends says the first record behind it; only where there is none yet it is read. */
async function lookAtSegments(disk: Disk, { lastLsn: known, ...options }: LookAtConsumersOptions) {
  const segments: LookedAtSegment[] = [];
  let firstLsn: Lsn | undefined;
  for (const { path, length } of (await listSegments(disk)).segments.toReversed()) {
    const isClosed = segments.length > 0;
    const isLast = isClosed && firstLsn === undefined;
    const ends = await endsOf(disk, path, { ...options, isWhole: isLast && known === undefined });
    const lastLsn = firstLsn === undefined ? (known ?? ends.last) : firstLsn - 1;
    segments.unshift({ length, lastLsn: isClosed ? lastLsn : undefined });
    firstLsn = ends.first ?? firstLsn;
  }
  return { segments, firstLsn };
}

/** LSNs of the first record and, with `isWhole`, the last; undefined where there is none. */
async function endsOf(
  disk: Disk,
  path: string,
  { isWhole, ...options }: LookAtConsumersOptions & { readonly isWhole: boolean },
): Promise<{ readonly first?: Lsn; readonly last?: Lsn }> {
  let ends = {};
  for await (const item of inspectWal(disk, path, options)) {
    if (isWarning(item)) break;
    ends = { first: item.lsn, ...ends, last: item.lsn };
    if (!isWhole) break;
  }
  return ends;
}
