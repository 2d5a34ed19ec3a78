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

export interface RecoverOptions {
  /** Report only: nothing is changed, nothing is created. Default false. */
  readonly dryRun?: boolean;
  /** The log is known up to here (R6): records up to it are skipped, and it goes on from there. Default: its start. */
  readonly after?: LogPosition;
  /**
   * Called for each record in order; then `records` of the report stays empty and memory stays flat. The record's bytes never
   * change. Where recovery refuses in the end, what was given before stands for nothing. Where it gives a promise, the next record comes once
   * that has resolved.
   */
  readonly onRecord?: OnRecovered;
  /** Called about once a mebibyte. */
  readonly onProgress?: (progress: ScanProgress) => void;
  /**
   * What reads back is known to be on the disk: the last writer of this log closed cleanly; or the `tailMark` that a writer left when it
   * closed: trusted where the tail is still what it was then. Without trust a writer writes the last segment again, because after a failed
   * fsync what reads back may not be on the disk (R5). A start of the machine gives no trust: the start of a container looks the same from
   * inside, and leaves the page cache as it was. Default false.
   */
  readonly trustPageCache?: boolean | string;
  /**
   * The `tailMark` that some writer of this log left when it closed, not necessarily the last one: all that it stands for was on stable storage, so no
   * crash explains damage before it, or a log that ends before it. Default: nothing is known.
   */
  readonly closedAt?: string;
  /** Files that take the place of the log up to some record, oldest first; the last is the one that `after` is of. */
  readonly covers?: readonly LogCover[];
  /** Where the ids of the log come from, for tests that must run the same way each time. Default: random. */
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

export interface WalRecoveryReport {
  /** Empty where `onRecord` was given. */
  readonly records: readonly RecoveredRecord[];
  /** Records behind `after`. */
  readonly recordCount: number;
  readonly firstLsn?: Lsn;
  readonly lastLsn?: Lsn;
  /** Of the last operation of the last record. */
  readonly lastSequence?: SequenceNumber;
  /** Segments that are part of the log. */
  readonly segments: number;
  /** Of them, those that were not read: `after` covers all their records. Their bytes were not checked. */
  readonly coveredSegments: number;
  /** Bytes of whole records in them; those that were not read count as they are. */
  readonly validBytes: number;
  /** Bytes that are not part of the log any more: cut from the tail, and of segments taken out. Zeros behind the log are space and do not count. */
  readonly truncatedBytes: number;
  /** Where what was taken out is kept. Paths are relative to the disk's root. */
  readonly quarantined: readonly string[];
  /** What is in `wal/quarantine/` now, from this recovery and from those before. */
  readonly quarantine: QuarantineSummary;
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
 * Brings the log under `disk` into a state that a writer may append to, and says what it found. What comes back is a prefix
 * of what was appended, with every acknowledged strict record (R3). Running it again, or crashing anywhere inside it,
 * changes nothing of the result (R1). It takes no lock: one owner at a time. Beside a writer use `dryRun`.
 *
 * @throws KayaError KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION or KAYA_INVALID_ARGUMENT where the recovery table
 *   (FORMAT.md) says refuse, or `covers` are of another log, and nothing was changed; KAYA_IO for a failed read, which is never taken for the end of
 *   the log; KAYA_DISK_FULL where what is cut could not be kept, and nothing was cut.
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
