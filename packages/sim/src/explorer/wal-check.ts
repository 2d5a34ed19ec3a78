import type { LogPosition, WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { operationCount, recoverWal, type WalPayload, type WalRecord, WalWriter } from "@kaya/wal";
import type { Check } from "./check-run.js";
import { checkPrefix } from "./prefix.js";
import { readCheckpoint } from "./wal-checkpoint.js";
import { describeWrite, put, samePayload, type WalWrite } from "./wal-write.js";

export interface WalCheckOptions {
  readonly config: Partial<WalConfig>;
  /** After a power cut the log is opened as by an owner who knows that the machine was started again. */
  readonly trustPageCache?: boolean;
  /** Bytes that must be in quarantine once the log was recovered. */
  readonly quarantined?: readonly Uint8Array[];
}

const PROBES: readonly WalPayload[] = [put("probe one"), put("probe two")];

/**
 * R3 and R1 as a check: a prefix of what was appended comes back, with every acknowledged record and nothing rejected;
 * the log goes on from there; and after the next power cut the same records are there, the new ones behind them.
 */
export function walCheck({
  config,
  trustPageCache = false,
  quarantined = [],
}: WalCheckOptions): Check<WalWrite> {
  return async (disk, view, recovered) => {
    const after = readCheckpoint(disk);
    const found: WalRecord[] = [];
    const writer = await WalWriter.open(config, disk, {
      after,
      onRecord: ({ record }) => found.push(record),
      trustPageCache: trustPageCache && view.cause === "power-cut",
    });
    recovered();
    checkPrefix<WalWrite, WalRecord>(view, found, {
      from: after.lsn,
      matches: (write, record) => samePayload(write.payload, record.payload),
      describe: describeWrite,
    });
    checkNumbers(found, after);
    await checkQuarantine(disk, quarantined);
    await Promise.all(PROBES.map((probe, index) => writer.append(probe, index === 0 ? "relaxed" : "strict")));
    disk.crash();
    await checkAgain(disk, config, found);
    await checkQuarantine(disk, quarantined);
  };
}

function checkNumbers(records: readonly WalRecord[], after: LogPosition): void {
  let { lsn, sequence } = after;
  for (const record of records) {
    lsn += 1;
    sequence += 1;
    if (record.lsn !== lsn || record.sequence !== sequence) {
      throw new Error(`«${describeWrite(record)}» stands at lsn ${lsn}, sequence ${sequence}`);
    }
    sequence += operationCount(record.payload) - 1;
  }
}

/** All earlier records and the probes: nothing was cut in between, or follows a hole. */
async function checkAgain(
  disk: SimDisk,
  config: Partial<WalConfig>,
  before: readonly WalRecord[],
): Promise<void> {
  const report = await recoverWal(config, disk, { after: readCheckpoint(disk), trustPageCache: true });
  const expected = [...before.map(({ payload }) => payload), ...PROBES];
  for (const [index, payload] of expected.entries()) {
    const found = report.records[index]?.record;
    if (found !== undefined && samePayload(found.payload, payload)) continue;
    const what = found === undefined ? "is lost" : `is «${describeWrite(found)}»`;
    throw new Error(`record ${index} of ${expected.length} ${what} after a second crash`);
  }
  if (report.recordCount > expected.length) throw new Error("records came back that the first recovery cut");
  if (report.truncatedBytes > 0) throw new Error(`a second recovery cut ${report.truncatedBytes} bytes`);
}

/** @throws Error where one of these is not among what recovery kept, but for zeros at its end: those may be space (W8) */
export async function checkQuarantine(disk: SimDisk, expected: readonly Uint8Array[]): Promise<void> {
  if (expected.length === 0) return;
  const kept = (await disk.list("wal/quarantine")).map(({ path }) => disk.readFile(path));
  for (const bytes of expected) {
    if (kept.some((copy) => copy !== undefined && isKept(copy, bytes))) continue;
    throw new Error(`${bytes.length} bytes that recovery took out of the log are not in quarantine`);
  }
}

function isKept(copy: Uint8Array, bytes: Uint8Array): boolean {
  const rest = bytes.subarray(copy.length);
  return Buffer.compare(copy, bytes.subarray(0, copy.length)) === 0 && rest.every((byte) => byte === 0);
}
