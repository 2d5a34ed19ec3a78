import { KayaError, type KayaErrorCode, type Lsn, type WalConfig } from "@kaya/core";
import type { FailedSyncOutcome, SimDisk, WriteFaultRule } from "@kaya/io";
import type { WalRecord } from "@kaya/wal";
import { type Scenario, scenario } from "./scenario.js";
import { mustBeMet, UnmetFaultError } from "./unmet-fault.js";
import { walCheck } from "./wal-check.js";
import { WalSession } from "./wal-session.js";
import { put, value, type WalWrite } from "./wal-write.js";

/** A fault without its place. */
export type Fault = WriteFaultRule extends infer R
  ? R extends { at: number }
    ? Omit<R, "at">
    : never
  : never;

/** Undone, and the writer goes on (W3). */
export const UNDONE: readonly Fault[] = [
  { kind: "disk-full" },
  { kind: "io-error" },
  { kind: "io-error", outcome: "kept" },
  ...[1, 39, 40, 80, 200].map((bytes) => ({ kind: "partial-write", bytes }) as const),
];
const OUTCOMES: readonly FailedSyncOutcome[] = ["readable-until-crash", "kept", "lost"];

/** Before a record is written these are undone; afterwards nothing is. */
const NOT_FINAL: readonly KayaErrorCode[] = ["KAYA_IO", "KAYA_INTERNAL"];

/** The operations of `live` that write, and those that sync, counted from its beginning: two rotations are among them. */
const WRITES: readonly number[] = [0, 2, 5, 7, 8];
const SYNCS: readonly number[] = [1, 3, 4, 6, 9, 10, 11];

/** Of a rotation: the old segment is synced, then its name. */
const CREATION = 2;

/**
 * A fault at each of the operations of a short life, which then goes on: with the same writer where it took the failed
 * write back, and with a new one in the same boot where the writer has failed.
 */
export function walFaultScenarios(config: Partial<WalConfig>): Scenario[] {
  const failedSyncs = OUTCOMES.map((outcome) => ({ kind: "fsync-failed", outcome }) as const);
  return [
    ...UNDONE.flatMap((fault) => WRITES.map((place) => faultScenario(config, fault, place))),
    ...failedSyncs.flatMap((fault) => SYNCS.map((place) => faultScenario(config, fault, place))),
    ...NOT_FINAL.flatMap((code) => [2, 4, 6].map((lsn) => failedApplyScenario(config, code, lsn))),
    failedCreationScenario(config),
    fullDiskScenario(config, "a whole tail", async (session) => session.kill()),
    fullDiskScenario(config, "a torn tail", async (session, disk) => {
      disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 60 });
      disk.addFault({ at: disk.nextOperation + 1, kind: "io-error" }); // nor can it be undone
      await session.append([put("torn", value(50))]);
      session.kill();
    }),
  ];
}

/** The process dies, and the log is opened again in the same boot on a disk without room, which then gets some. */
function fullDiskScenario(
  config: Partial<WalConfig>,
  name: string,
  die: (session: WalSession, disk: SimDisk) => Promise<void>,
): Scenario {
  return scenario<WalWrite>(`wal: recovery of ${name} on a full disk`, {
    workload: async (disk: SimDisk, history) => {
      const session = new WalSession(disk, history, { config });
      await session.open();
      await live(session);
      await die(session, disk);
      for (let later = 0; later < 6; later++)
        disk.addFault({ at: disk.nextOperation + later, kind: "disk-full" });
      await session.open();
      await session.append([put("no room")]);
      await session.append([put("no room either"), "relaxed"]);
      await session.append([put("room, perhaps")]);
      await session.append([put("after", value(80)), "relaxed"], [put("after that", value(300))]);
    },
    check: walCheck({ config }),
  });
}

/** Showing a record throws when it is written already; then the log is opened again. */
function failedApplyScenario(config: Partial<WalConfig>, code: KayaErrorCode, lsn: Lsn): Scenario {
  return scenario<WalWrite>(`wal: ${code} while record ${lsn} is applied`, {
    workload: async (disk: SimDisk, history) => {
      const onCommit = (record: WalRecord) => {
        if (record.lsn === lsn) throw new KayaError(code, `injected while record ${lsn} is applied`);
      };
      const session = new WalSession(disk, history, { config, onCommit });
      await session.open();
      await session.append([put("before", value(120))]);
      await live(session);
      await session.append([put("after the failure", value(80))]);
      await session.close();
      await session.open();
      await session.append([put("after", value(80)), "relaxed"], [put("after that")]);
    },
    check: walCheck({ config }),
  });
}

/** The next segment is there although making it failed; before it is tried again, the one before it is written to. */
function failedCreationScenario(config: Partial<WalConfig>): Scenario {
  return scenario<WalWrite>("wal: a segment whose creation failed, and is taken back", {
    workload: async (disk: SimDisk, history) => {
      const session = new WalSession(disk, history, { config });
      await session.open();
      await session.append([put("a", value(550))]);
      const at = disk.nextOperation + CREATION;
      disk.addFault({ at, kind: "io-error", outcome: "kept" });
      await session.append([put("in the next segment", value(300))]);
      mustBeMet(disk, at, `operation ${CREATION} of a rotation`);
      if (disk.events.some(({ index, kind }) => index === at && kind !== "open")) {
        throw new UnmetFaultError(`operation ${CREATION} of a rotation creates no segment`);
      }
      await session.append([put("b"), "relaxed"]);
      await session.append([put("c"), "relaxed"]);
      mustGoOn(session);
      await session.append([put("in the next segment, again", value(300))]);
    },
    check: walCheck({ config }),
  });
}

function faultScenario(config: Partial<WalConfig>, fault: Fault, place: number): Scenario {
  const losesRelaxed = "outcome" in fault && fault.outcome === "lost";
  return scenario<WalWrite>(`wal: ${describeFault(fault)} at operation ${place}`, {
    workload: async (disk: SimDisk, history) => {
      const session = new WalSession(disk, history, { config, losesRelaxed });
      await session.open();
      await session.append([put("before", value(120))]);
      const at = disk.nextOperation + place;
      disk.addFault({ ...fault, at });
      await live(session);
      mustBeMet(disk, at, `operation ${place} that ${describeFault(fault)} fits`);
      await goOnBehind(fault, session);
    },
    check: walCheck({ config }),
  });
}

async function live(session: WalSession): Promise<void> {
  await session.append([put("a", value(100)), "relaxed"], [put("b", value(100))], [put("c"), "relaxed"]);
  await session.append([put("d", value(160)), "relaxed"]);
  await session.append([put("e", value(300)), "relaxed"], [put("f", value(120)), "strict"]);
  await session.append([put("g", value(250)), "relaxed"]);
}

/** With the same writer where it took the failed write back, and with a new one where the writer has failed. */
export async function goOnBehind(fault: Fault, session: WalSession): Promise<void> {
  if (fault.kind !== "fsync-failed") mustGoOn(session);
  else if (session.writer.failure !== undefined) {
    await session.close();
    await session.open();
  }
  await session.append([put("after", value(80)), "relaxed"], [put("after that")]);
}

/** W3: the failed write is undone, and the same writer works again. */
function mustGoOn({ writer }: WalSession): void {
  if (writer.failure !== undefined) throw new Error(`the writer gave up (W3): ${writer.failure.message}`);
}

export function describeFault(fault: Fault): string {
  if (fault.kind === "partial-write") return `a write that stops after ${fault.bytes} bytes`;
  return fault.outcome === undefined ? fault.kind : `${fault.kind} (${fault.outcome})`;
}
