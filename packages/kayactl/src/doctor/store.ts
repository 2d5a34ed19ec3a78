import { join } from "node:path";
import { KayaError } from "@kaya/core";
import { type ConsumerLook, lookAtConsumers, lookSteadily, type RecoveryReport } from "@kaya/engine";
import { type ReplicaMarker, readReplicaMarker } from "@kaya/engine/replica";
import { type LockHolder, NodeDisk, readLockHolder } from "@kaya/io";
import { formatWarning, isDamage, type WalWarning } from "@kaya/wal";
import type { Context } from "../context.js";
import { dryRun } from "../inspect/dry-run.js";
import { tellingWarnings } from "../report.js";
import { formatBytes, formatCount, formatDuration, plural } from "../units.js";
import { type Finding, findingsOf } from "./finding.js";

const MiB = 1024 * 1024;
/** More than a flush leaves, with the defaults. */
const LONG_LOG_BYTES = 128 * MiB;
const MUCH_KEPT_BYTES = 64 * MiB;
const MUCH_QUARANTINE_BYTES = 256 * MiB;

export interface StoreFindings {
  readonly findings: readonly Finding[];
  /** 0 where the manifest cannot be read. */
  readonly tables: number;
}

/** What the files of the store say. Takes no lock and changes nothing. */
export async function examineStore(context: Context): Promise<StoreFindings> {
  const { data, maxRecordBytes } = context.options;
  const holder = await tryTo(() => readLockHolder(join(data, "LOCK")));
  if (holder instanceof KayaError) return { findings: [judgeRefusal(holder)], tables: 0 };
  const writer = judgeHolder(holder);
  const report = await tryTo(() =>
    lookSteadily(
      new NodeDisk(data),
      () => dryRun(context),
      (found) => found.warnings.some(isDamage),
    ),
  );
  if (report instanceof KayaError) return { findings: [writer, judgeRefusal(report)], tables: 0 };
  const limit = maxRecordBytes === undefined ? {} : { maxRecordBytes };
  const consumers = await tryTo(() => lookAtConsumers(new NodeDisk(data), limit));
  const replica = await tryTo(() => readReplicaMarker(data));
  const findings = [
    writer,
    ...(replica instanceof KayaError ? [judgeRefusal(replica)] : judgeReplica(replica)),
    ...judgeLog(report, holder?.state === "held"),
    ...judgeQuarantine(report),
    ...(consumers instanceof KayaError ? [judgeRefusal(consumers)] : judgeConsumers(consumers)),
  ];
  return { findings, tables: report.tables.tables };
}

async function tryTo<T>(work: () => Promise<T>): Promise<T | KayaError> {
  return work().catch((error: unknown) => {
    if (KayaError.is(error)) return error;
    throw error;
  });
}

export function judgeHolder(holder: LockHolder | undefined): Finding {
  const { ok, note } = findingsOf("writer");
  if (holder === undefined) return ok("no process has it open: there is no lock file, or it is empty");
  const { state, pid } = holder;
  if (state === "held")
    return ok(`process ${pid} has it open: kayactl can look, and not write`, undefined, { pid });
  if (state === "clean") return ok("no process has it open; the last one closed it");
  return note(
    `no process has it open; the last one, ${pid}, did not close it`,
    "The next opening recovers by itself. End a service with a signal that ends in engine.close().",
    { pid },
  );
}

function judgeReplica(marker: ReplicaMarker | undefined): Finding[] {
  if (marker === undefined) return [];
  const { ok } = findingsOf("cluster");
  const { logId, logName } = marker;
  return [
    ok(`a node of the log ${logName}: only a ClusterEngine writes here`, undefined, { logId, logName }),
  ];
}

export function judgeRefusal(error: KayaError): Finding {
  const { problem } = findingsOf("store");
  const advice =
    error.code === "KAYA_CORRUPTION"
      ? 'Copy the directory away first. Then `kayactl verify` lists all damage: see "Damage" in docs/operations.md.'
      : error.code === "KAYA_UNSUPPORTED_VERSION"
        ? "Open it with the version that wrote it, or a newer one. Nothing is damaged."
        : "An opening is refused until this is mended.";
  return problem(`an opening would be refused: ${error.message}`, advice, { code: error.code });
}

/** @param isInUse a process writes: the end may be in the middle of a record */
export function judgeLog(report: RecoveryReport, isInUse: boolean): Finding[] {
  const { ok, note, warning, problem } = findingsOf("log");
  const { validBytes, recordCount, durationMs, truncatedBytes } = report;
  const size = `${plural(recordCount, "record")} behind the tables, ${formatBytes(validBytes)}: reading them took ${formatDuration(durationMs)}`;
  const values = { bytes: validBytes, records: recordCount, readMs: Math.round(durationMs * 1000) / 1000 };
  const long =
    "An opening replays them. Is flushing turned off, or does it fail (stats().flush.error)? `kayactl flush` does it now.";
  const found = [validBytes > LONG_LOG_BYTES ? warning(size, long, values) : ok(size, undefined, values)];
  const damage = tellingWarnings(report).filter(isDamage);
  const [first] = damage;
  if (first === undefined) return found;
  const isTorn = damage.every(
    ({ kind }) => kind === "PartialHeader" || kind === "PartialPayload" || kind === "TailTruncated",
  );
  const text = `${placeOf(first, report)}${formatWarning(first)}${damage.length > 1 ? `, and ${formatCount(damage.length - 1)} more` : ""}`;
  if (isInUse && isTorn) return [...found, ok(`the end is in the middle of a write: ${text}`)];
  if (isTorn)
    return [
      ...found,
      note(
        `a crash's unfinished write at the end, ${formatBytes(truncatedBytes)}: ${text}`,
        "Nothing acknowledged is lost. The next opening cuts it.",
      ),
    ];
  return [
    ...found,
    problem(
      `damage: ${text}`,
      'Copy the directory away first. Then `kayactl verify` lists all damage: see "Damage" in docs/operations.md.',
    ),
  ];
}

/** The file of a warning that names only an offset: recovery cuts no other segment than the one in which it found the damage. */
function placeOf(warning: WalWarning, { warnings }: RecoveryReport): string {
  if ("path" in warning) return "";
  const cut = warnings.find(({ kind }) => kind === "TailTruncated");
  return cut?.kind === "TailTruncated" ? `${cut.path}, ` : "";
}

export function judgeQuarantine({ quarantine }: Pick<RecoveryReport, "quarantine">): Finding[] {
  const { note, warning } = findingsOf("quarantine");
  const { files, bytes, torn } = quarantine;
  if (files === 0) return [];
  const kept = `${plural(files, "file")} in wal/quarantine/, ${formatBytes(bytes)}`;
  const values = { files, bytes, tornFiles: torn.files, tornBytes: torn.bytes };
  if (files > torn.files)
    return [
      warning(
        `${kept}: some were kept for damage that no crash explains`,
        "A disk may be failing. `kayactl quarantine` lists them; look at them, then delete them by hand.",
        values,
      ),
    ];
  const advice = "`kayactl quarantine --max-bytes N` removes the oldest ends that crashes tore.";
  return [bytes > MUCH_QUARANTINE_BYTES ? warning(kept, advice, values) : note(kept, advice, values)];
}

export function judgeConsumers(consumers: readonly ConsumerLook[]): Finding[] {
  const { ok, warning } = findingsOf("consumers");
  if (consumers.length === 0) return [];
  const lost = consumers.filter(({ isTruncated }) => isTruncated);
  const behind = consumers.filter(
    ({ keptLogBytes, isTruncated }) => !isTruncated && keptLogBytes > MUCH_KEPT_BYTES,
  );
  const names = (of: readonly ConsumerLook[]) => of.map(({ name }) => JSON.stringify(name)).join(", ");
  const found: Finding[] = [];
  if (lost.length > 0)
    found.push(
      warning(
        `the log no longer has the next changes for ${names(lost)}`,
        "It has to read all data again. If it is gone for good: kayactl consumers --remove NAME",
      ),
    );
  if (behind.length > 0) {
    const kept = formatBytes(Math.max(...behind.map(({ keptLogBytes }) => keptLogBytes)));
    found.push(
      warning(
        `${kept} of the log are kept for ${names(behind)}`,
        "Past changes.maxKeptLogBytes it loses its place. If it is gone for good: kayactl consumers --remove NAME",
      ),
    );
  }
  return found.length > 0 ? found : [ok(`${plural(consumers.length, "consumer")}, none far behind`)];
}
