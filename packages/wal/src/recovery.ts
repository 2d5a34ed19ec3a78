import {
  checkCallback,
  describe,
  KayaError,
  type LogPosition,
  type Lsn,
  readOptions,
  resolveWalConfig,
  type SequenceNumber,
  type WalConfig,
} from "@kaya/core";
import type { Disk } from "@kaya/io";
import { makeTailDurable, syncClosed, type TailTreatment } from "./durable-tail.js";
import { assertOneStore, type LogCover } from "./log-cover.js";
import { LogIdentity, type NewLogId } from "./log-identity.js";
import { closedLog, isAtMark, parseLogMark } from "./log-mark.js";
import {
  type LogScan,
  type OnRecovered,
  type RecoveredRecord,
  type ScanProgress,
  scanLog,
} from "./log-scan.js";
import { Quarantine, type QuarantineSummary } from "./quarantine.js";
import { planRecovery, type RecoveryPlan } from "./recovery-plan.js";
import { listSegments, type SegmentFile, WAL_DIR, type WalDirectory } from "./segments.js";
import type { WalWarning } from "./warnings.js";

export const LOG_START: LogPosition = { lsn: 0, sequence: 0 };

/** Whether a recovery changes anything, where the log begins, and who gets its records. */
export interface RecoverOptions {
  /** Reports only: nothing is changed and nothing is created. Default false. */
  readonly dryRun?: boolean;
  /**
   * The log is known up to this record: records up to it are skipped, and the log goes on from there. Default:
   * its beginning.
   */
  readonly after?: LogPosition;
  /**
   * Called for each record, in order; then `records` of the report stays empty and memory stays flat. The
   * record's bytes never change. If recovery refuses in the end, the records that were given before count for
   * nothing. If it returns a promise, the next record waits for that.
   */
  readonly onRecord?: OnRecovered;
  /** Called about once for each mebibyte that is read. */
  readonly onProgress?: (progress: ScanProgress) => void;
  /**
   * What reads back is known to be on the disk: the last writer of this log closed cleanly; or the `tailMark` that a writer left when it
   * closed: trusted where the tail is still what it was then. Without trust a writer writes the last segment again, because after a failed
   * fsync what reads back may not be on the disk (R5). A start of the machine gives no trust: the start of a container looks the same from
   * inside, and leaves the page cache as it was. Default false.
   */
  readonly trustPageCache?: boolean | string;
  /**
   * The `tailMark` that a writer of this log left when it closed, not necessarily the last one. All that it
   * stands for was on stable storage, so no crash explains damage before it, or a log that ends before it.
   * Default: nothing is known.
   */
  readonly closedAt?: string;
  /**
   * Files that have the records of the log up to one of them, oldest first. The last one is that of `after`.
   */
  readonly covers?: readonly LogCover[];
  /** Makes the ids of the log, for tests that must run the same way each time. Default: random. */
  readonly newLogId?: NewLogId;
}

const RECOVER_OPTIONS = [
  "dryRun",
  "after",
  "onRecord",
  "onProgress",
  "trustPageCache",
  "closedAt",
  "covers",
  "newLogId",
];

/** What a recovery found in the log, and what it changed. */
export interface WalRecoveryReport {
  /** The records behind `after`; empty if `onRecord` was given. */
  readonly records: readonly RecoveredRecord[];
  /** How many records stand behind `after`. */
  readonly recordCount: number;
  /** Log sequence number of the first record behind `after`; absent if there is none. */
  readonly firstLsn?: Lsn;
  /** Log sequence number of the last record; absent if there is none. */
  readonly lastLsn?: Lsn;
  /** The sequence of the last operation of the last record; absent if there is none. */
  readonly lastSequence?: SequenceNumber;
  /** How many segments are part of the log. */
  readonly segments: number;
  /** How many of them were not read, because `after` covers all their records. Their bytes were not checked. */
  readonly coveredSegments: number;
  /** Bytes of whole records in the segments; those that were not read count in full. */
  readonly validBytes: number;
  /**
   * Bytes that were cut from the end, and of segments that were taken out. Zeros behind the log are space and
   * do not count.
   */
  readonly truncatedBytes: number;
  /** Paths of the copies of what was taken out, relative to the disk's root. */
  readonly quarantined: readonly string[];
  /** How much is in `wal/quarantine/` now, from this recovery and from earlier ones. */
  readonly quarantine: QuarantineSummary;
  /** What was found that is not as it should be, in the order in which it was found. */
  readonly warnings: readonly WalWarning[];
}

/** A segment as a writer needs it. */
export interface LogSegment extends SegmentFile {
  /** Of the last record in it or before it. */
  readonly lastLsn: Lsn;
}

/** A recovered log, ready for a writer. */
export interface RecoveredLog {
  readonly report: WalRecoveryReport;
  /** In order; `length` counts valid bytes. The writer goes on in the last one. */
  readonly segments: readonly LogSegment[];
  /** The last record, or `after` where the log ends before it. */
  readonly last: LogPosition;
  /** LSN up to which the log was known, and is durable elsewhere. */
  readonly after: Lsn;
  /** The records behind this LSN are in the log, without a gap; those up to it may be gone (R6). */
  readonly beginsAfter: Lsn;
  readonly identity: LogIdentity;
  /** What is in quarantine now. */
  readonly quarantine: QuarantineSummary;
  /** Makes the tail durable if the disk had no room for that: nothing may be appended before. */
  readonly finishTail?: (() => Promise<void>) | undefined;
}

/**
 * Brings the log of `disk` into a state that a writer may append to, and reports what it found. The result is a
 * prefix of the appended records, with every acknowledged strict record (R3). Running it again, or a crash
 * inside it, does not change the result (R1). It takes no lock: one owner at a time. Use `dryRun` beside a
 * writer.
 *
 * @throws KayaError KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION or KAYA_INVALID_ARGUMENT if the recovery table
 *   (FORMAT.md) says refuse, or if `covers` are of another log (nothing was changed); KAYA_IO for a failed
 *   read, which never passes for the end of the log; KAYA_DISK_FULL if the bytes to be cut cannot be kept
 *   (nothing was cut)
 */
export async function recoverWal(
  config: Partial<WalConfig>,
  disk: Disk,
  given?: RecoverOptions,
): Promise<WalRecoveryReport> {
  const options = readOptions(given, RECOVER_OPTIONS, "the options of recoverWal");
  const log = await recoverLog(resolveWalConfig(config), disk, options, false);
  await log.finishTail?.();
  return log.report;
}

/**
 * `recoverWal`, for the writer that goes on from there. On a full disk it may leave the tail to be finished.
 * @param forWriter something will be appended. Otherwise a whole log is only synced: the copy of its tail (R5) can wait for the next
 * writer, and would replace the file of a writer that has it open.
 */
export async function recoverLog(
  config: WalConfig,
  disk: Disk,
  options: RecoverOptions,
  forWriter: boolean,
): Promise<RecoveredLog> {
  const after = checkPosition(options.after ?? LOG_START);
  for (const name of ["onRecord", "onProgress", "newLogId"] as const) checkCallback(options[name], name);
  const records: RecoveredRecord[] = [];
  const directory = await listSegments(disk);
  const { identity, warnings: told } = await identify(disk, directory, options);
  const scan = await scanLog(disk, directory.segments, {
    maxRecordBytes: config.maxRecordBytes,
    after,
    skipsCovered: true,
    onRecord: options.onRecord ?? ((record) => void records.push(record)),
    onProgress: options.onProgress,
  });
  const isAbsent = directory.segments.length === 0 && !directory.hasLogId;
  const closed = closedLog(parseLogMark(options.closedAt), identity.history, isAbsent);
  const isLook = options.dryRun === true;
  const log = { files: directory.segments, scan, after: after.lsn, closed, isLook };
  const plan = await planRecovery(disk, log, config.recovery, config.maxRecordBytes);
  const segments = remaining(scan, plan);
  const last = lastOf(scan, after);
  const done: WalWarning[] = [...told];
  const quarantine = await Quarantine.open(disk);
  let finishTail: RecoveredLog["finishTail"];
  if (!isLook) {
    for (const path of directory.leftovers) await disk.remove(path);
    const isAsMarked = isTrusted(options.trustPageCache, directory.segments, identity);
    const changes = plan.isShorter;
    if (changes) done.push(...(await identity.cutBehind(last.lsn)));
    done.push(...(await takeOut(disk, plan, quarantine)));
    const cleaned = await quarantine.clean(config.quarantineMaxBytes);
    if (cleaned.files > 0) done.push({ kind: "QuarantineCleaned", ...cleaned });
    const willChange = forWriter || changes || endsInSpace(plan);
    const trustPageCache = isAsMarked || !willChange;
    if (!trustPageCache) await syncClosed(disk, segments.slice(0, -1));
    finishTail = await endTail(disk, plan, { trustPageCache, willChange });
    if (plan.tail !== undefined && finishTail === undefined) identity.namesWereSynced();
  }
  const unknown = directory.unknown.map((path) => ({ kind: "UnknownFile", path }) as const);
  const warnings = [...plan.warnings, ...done, ...unknown];
  return {
    report: report(scan, plan, segments, records, warnings, quarantine.summary),
    quarantine: quarantine.summary,
    segments,
    last,
    after: after.lsn,
    beginsAfter: scan.beginsAfter,
    identity,
    finishTail,
  };
}

// A position that is no number would skip every record without an error.
function checkPosition(after: LogPosition): LogPosition {
  const { lsn, sequence } = readOptions(after, ["lsn", "sequence"], "after") as LogPosition;
  for (const [field, value] of Object.entries({ lsn, sequence })) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `after.${field} must be a whole number >= 0, not ${describe(value)}`,
    );
  }
  return { lsn, sequence };
}

/**
 * R2, first half: copy the bytes to take out, then remove the later segments, highest first. Segments are copied, not renamed: a
 * crash may tear a rename between two directories apart and leave neither name.
 */
async function takeOut(disk: Disk, plan: RecoveryPlan, quarantine: Quarantine): Promise<WalWarning[]> {
  await quarantine.removeLeftovers();
  const kept: WalWarning[] = [];
  if (plan.quarantineCut && plan.tail !== undefined) {
    const { file, validLength } = plan.tail;
    const path = await quarantine.keepCopy(
      file,
      validLength,
      validLength + plan.cutBytes,
      plan.isTorn ? "torn" : "damage",
    );
    kept.push({ kind: "Quarantined", path, from: validLength, bytes: plan.cutBytes });
  }
  const highestFirst = plan.moved.toReversed();
  for (const segment of highestFirst) {
    const path = await quarantine.keepCopy(segment, 0, segment.length, "damage");
    kept.push({ kind: "Quarantined", path, from: 0, bytes: segment.length });
  }
  if (kept.length > 0) await quarantine.makeDurable();
  for (const segment of highestFirst) await disk.remove(segment.path);
  if (highestFirst.length > 0) await disk.syncDir(WAL_DIR);
  return kept;
}

/**
 * R2, second half: cut, and make the tail durable. If the disk has no room for that, the log can still be read: the rest is returned, to be
 * done before the first append.
 */
async function endTail(
  disk: Disk,
  { tail }: RecoveryPlan,
  treatment: TailTreatment,
): Promise<(() => Promise<void>) | undefined> {
  if (tail === undefined) return undefined;
  const finish = () => makeTailDurable(disk, tail.file, tail.validLength, treatment);
  try {
    await finish();
    return undefined;
  } catch (error) {
    if (!KayaError.is(error, "KAYA_DISK_FULL")) throw error;
    return finish;
  }
}

function endsInSpace({ tail }: RecoveryPlan): boolean {
  return tail !== undefined && tail.validLength < tail.file.length;
}

function isTrusted(
  trust: boolean | string | undefined,
  segments: readonly SegmentFile[],
  { history }: LogIdentity,
): boolean {
  return typeof trust === "string" ? isAtMark(parseLogMark(trust), segments, history) : trust === true;
}

/** Reads the log's id, and checks that the tables beside it belong to it. */
async function identify(
  disk: Disk,
  { segments, hasLogId }: WalDirectory,
  { covers = [], newLogId }: RecoverOptions,
): ReturnType<typeof LogIdentity.read> {
  const found = await LogIdentity.read(disk, hasLogId, newLogId);
  assertOneStore(found.identity.history, segments, covers);
  const base = covers.at(-1);
  if (base !== undefined) found.identity.goOnFrom(base, segments.length > 0);
  return found;
}

function remaining(scan: LogScan, plan: RecoveryPlan): LogSegment[] {
  const lastId = plan.tail?.file.id ?? 0;
  return scan.segments
    .filter((segment) => segment.id <= lastId)
    .map(({ id, path, validLength, lastLsn }) => ({ id, path, length: validLength, lastLsn }));
}

function lastOf(scan: LogScan, after: LogPosition): LogPosition {
  return {
    lsn: Math.max(scan.last.lsn, after.lsn),
    sequence: Math.max(scan.last.sequence, after.sequence),
  };
}

function report(
  scan: LogScan,
  plan: RecoveryPlan,
  segments: readonly LogSegment[],
  records: readonly RecoveredRecord[],
  warnings: readonly WalWarning[],
  quarantine: QuarantineSummary,
): WalRecoveryReport {
  const movedBytes = plan.moved.reduce((sum, segment) => sum + segment.length, 0);
  return {
    records,
    recordCount: scan.recordCount,
    ...(scan.firstLsn !== undefined && {
      firstLsn: scan.firstLsn,
      lastLsn: scan.last.lsn,
      lastSequence: scan.last.sequence,
    }),
    segments: segments.length,
    coveredSegments: scan.covered,
    validBytes: segments.reduce((sum, segment) => sum + segment.length, 0),
    truncatedBytes: plan.cutBytes + movedBytes,
    quarantined: warnings.flatMap((warning) => (warning.kind === "Quarantined" ? [warning.path] : [])),
    quarantine,
    warnings,
  };
}
