import type { KayaError, Lsn } from "@kaya/core";
import type { Replica } from "@kaya/engine/replica";
import { lostRecords } from "./known-log.js";
import type { LogHead, LogPage, SharedLog } from "./shared-log.js";

/** The node of a follower, which gets the records. */
export interface FollowHost {
  readonly log: SharedLog;
  /** The replica that it fills now. */
  replica(): Replica;
  /** Called before each read of the head; the returned function gets the head. See `KnownLog.reading`. */
  reading(): (head: LogHead | undefined) => void;
  /** Records of epochs up to this one may come. Resolves when that is noted durably. */
  entering(epoch: number): Promise<void>;
  /** Records were applied: they can be read here. */
  applied(): void;
  /** Called when the log does not answer. It is tried again. */
  trouble(error: unknown): void;
}

/**
 * Applies the log as it comes, until the signal aborts (C1: the records as they are in the shared log, one entry behind the other).
 * @throws KayaError as `SharedLog.follow` and `Replica.append`; KAYA_CORRUPTION if this directory has records that the log does not have
 */
export async function follow(host: FollowHost, signal: AbortSignal): Promise<void> {
  const saw = host.reading();
  const onTrouble = (error: unknown) => host.trouble(error);
  const pages = host.log.follow(host.replica().position.lsn, { signal, onTrouble });
  for await (const page of pages) {
    saw(page.head);
    await applyPage(host, page, signal);
    if (signal.aborted) return;
  }
}

/**
 * Applies the log up to an LSN.
 * @param isGoodHead false for a head that makes it pointless to go on
 * @returns false if it ended early
 */
export async function replayTo(
  host: FollowHost,
  lsn: Lsn,
  signal: AbortSignal,
  isGoodHead: (head: LogHead) => boolean,
): Promise<boolean> {
  while (host.replica().position.lsn < lsn) {
    if (signal.aborted) return false;
    const saw = host.reading();
    const page = await host.log.read(host.replica().position.lsn, { signal });
    saw(page.head);
    if (!isGoodHead(page.head)) return false;
    await applyPage(host, page, signal);
  }
  return true;
}

async function applyPage(host: FollowHost, page: LogPage, signal: AbortSignal): Promise<void> {
  const replica = host.replica();
  assertNotAhead(host.log.name, replica, page.head);
  if (page.entries.length > 0) await host.entering(page.head.epoch);
  for (const entry of page.entries) {
    if (signal.aborted) return;
    if (entry.lastLsn <= replica.position.lsn) continue;
    await replica.append(entry);
    host.applied();
  }
}

/** C1: checks by position and sequence that the local log is a prefix of the shared one. @throws KayaError KAYA_CORRUPTION */
export function assertNotAhead(name: string, { position }: Pick<Replica, "position">, head: LogHead): void {
  if (position.lsn > head.lsn)
    throw lostRecords(
      name,
      `it ends with LSN ${head.lsn}, and this node has records up to LSN ${position.lsn}`,
    );
  if (position.lsn < head.lsn || position.sequence === head.sequence) return;
  throw lostRecords(
    name,
    `its LSN ${head.lsn} ends with sequence ${head.sequence}, and that of this node with sequence ${position.sequence}`,
  );
}

const FINAL: readonly KayaError["code"][] = [
  "KAYA_CORRUPTION",
  "KAYA_INVARIANT_VIOLATION",
  "KAYA_INTERNAL",
  "KAYA_FSYNC_FAILED",
  "KAYA_WRITER_FAILED",
  "KAYA_DIRECTORY_REPLACED",
  "KAYA_UNSUPPORTED_VERSION",
];

/** Whether a node fails with this error: waiting does not help. */
export function isFinal({ code }: KayaError): boolean {
  return FINAL.includes(code);
}
