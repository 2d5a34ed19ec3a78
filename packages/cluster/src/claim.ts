import { KayaError } from "@kaya/core";
import type { ClusterClock } from "./clock.js";
import type { LogClaim, LogHead, SharedLog } from "./shared-log.js";
import { within } from "./within.js";

export interface ClaimOptions {
  readonly log: SharedLog;
  readonly clock: ClusterClock;
  readonly claim: LogClaim;
  /** How long it tries, in milliseconds. */
  readonly timeoutMs: number;
  /** Called before each read of the head; the returned function gets the head. See `KnownLog.reading`. */
  readonly reading: () => (head: LogHead | undefined) => void;
  /** Whether this node may claim the log with this head. */
  readonly mayClaim: (head: LogHead | undefined) => boolean;
  /** True: the node was asked to claim, and goes on although the present writer writes. */
  readonly isAsked: boolean;
  readonly onTrouble: (error: unknown) => void;
  readonly signal: AbortSignal;
}

const PAUSE_MS = 50;
/** A head that moved so often during a claim proves that its writer is alive, whatever its presence says. */
const MOST_MOVES = 3;

/**
 * Claims the log for this node.
 *
 * A process owns an epoch only if the log answered the call that began it. If a claim got no answer and the head shows this node's id, another process
 * with the same id could have made it. Then this process claims once more. So each epoch has one writer.
 * @returns the head that the claim made; undefined if it was given up: `mayClaim` said no, the time is over, or the signal aborted
 * @throws KayaError what `reading` throws; KAYA_INVALID_ARGUMENT if the log refuses such a claim, as for a prefix that has other keys
 */
export async function claimLog(options: ClaimOptions): Promise<LogHead | undefined> {
  const { log, clock, timeoutMs, signal, mayClaim, claim, onTrouble } = options;
  const deadline = clock.now() + timeoutMs;
  let lost: LogHead | undefined;
  let moves = 0;
  while (!signal.aborted && clock.now() < deadline) {
    const call = <T>(run: (signal: AbortSignal) => Promise<T>) =>
      within(clock, Math.max(deadline - clock.now(), 1), run, signal);
    const saw = options.reading();
    try {
      const head = await call((given) => log.head({ signal: given }));
      saw(head);
      if (lost !== undefined && isOther(head, lost, claim)) return undefined;
      if (!mayClaim(head)) return undefined;
      lost = head;
      return await call((given) => log.claim(head, claim, { signal: given }));
    } catch (error) {
      if (signal.aborted) return undefined;
      if (KayaError.is(error, "KAYA_CORRUPTION") || KayaError.is(error, "KAYA_INVALID_ARGUMENT")) throw error;
      if (!KayaError.is(error, "KAYA_FENCED")) onTrouble(error);
      else if (++moves >= MOST_MOVES && !options.isAsked) return undefined;
    }
    await clock.sleep(PAUSE_MS, signal);
  }
  return undefined;
}

/** Whether another node has claimed the log since `expected`. */
function isOther(head: LogHead | undefined, expected: LogHead, { writer }: LogClaim): boolean {
  return head !== undefined && head.epoch > expected.epoch && head.writer !== writer;
}
