import { Engine, KayaError, recover } from "@kaya/engine";
import { formatWarning } from "@kaya/wal";
import { checkContents, contentsOf } from "../../dist/explorer/engine-write.js";
import { mustEqual } from "./ledger.mjs";

// A kill may cut a write short, and where the disk is full there may be no room to change the id of a log that is cut. Nothing else shows.
const OF_A_KILL = ["PartialHeader", "PartialPayload", "TailTruncated", "LogIdRemoved"];

/**
 * Opens what a killed writer left, and compares it with the ledger. Gives the bytes of the torn record that was cut.
 * @param {string} dataDir
 * @param {Partial<import("@kaya/core").WalConfig>} wal
 * @param {import("./ledger.mjs").Ledger} ledger
 * @param {import("@kaya/engine").PartialEngineConfig} [rest] of the configuration
 * @throws Error where a promise is broken
 */
export async function verify(dataDir, wal, ledger, rest = {}) {
  const foreseen = await recover({ dataDir, wal }, undefined, { dryRun: true });
  const engine = await Engine.open({ dataDir, wal, ...rest });
  try {
    const { lastRecovery } = engine;
    ledger.settle(engine.stats().lastLsn);
    checkContents(await contentsOf(engine), ledger.contents, `after LSN ${ledger.lastLsn}`);
    checkReport(lastRecovery, ledger, wal);
    mustEqual(engine.stats().lastSequence, ledger.lastSequence, "the last sequence");
    mustEqual(foreseen.lastLsn ?? 0, lastRecovery.lastLsn ?? 0, "the last LSN of the dry run before");
    mustEqual(foreseen.truncatedBytes, lastRecovery.truncatedBytes, "what the dry run would have cut");
    return lastRecovery.truncatedBytes;
  } finally {
    await closeWhereItFits(engine);
  }
}

/**
 * On a full disk there may be no room to make the recovered tail durable: then, and only then, closing says so.
 * @param {Engine} engine
 */
export async function closeWhereItFits(engine) {
  const { durableLsn, lastLsn } = engine.stats();
  try {
    await engine.close();
  } catch (error) {
    if (durableLsn === lastLsn || !KayaError.is(error, "KAYA_DISK_FULL")) throw error;
  }
}

/**
 * A recovery found nothing but what a kill does.
 * @param {Pick<import("@kaya/engine").RecoveryReport, "warnings" | "quarantined">} report
 */
export function mustBeOfAKill({ warnings, quarantined }) {
  const strange = warnings.find(({ kind }) => !OF_A_KILL.includes(kind));
  if (strange !== undefined) throw new Error(`no kill does this: ${formatWarning(strange)}`);
  if (quarantined.length > 0) throw new Error(`moved to quarantine: ${quarantined.join(", ")}`);
}

/**
 * @param {import("@kaya/engine").RecoveryReport} report
 * @param {import("./ledger.mjs").Ledger} ledger
 * @param {Partial<import("@kaya/core").WalConfig>} wal
 */
function checkReport(report, ledger, { maxBatchBytes = 0, maxRecordBytes = 0 }) {
  const { truncatedBytes, tables } = report;
  const { firstLsn = tables.covered.lsn + 1, lastLsn = firstLsn - 1 } = report;
  mustBeOfAKill(report);
  if (truncatedBytes > maxBatchBytes + maxRecordBytes) {
    throw new Error(`${truncatedBytes} bytes were cut, more than one write has`);
  }
  mustEqual(lastLsn, ledger.lastLsn, "the report's last LSN");
  if (report.lastLsn !== undefined)
    mustEqual(report.lastSequence, ledger.lastSequence, "the report's last sequence");
  mustEqual(report.recordCount, lastLsn - firstLsn + 1, "the report's number of records");
}
