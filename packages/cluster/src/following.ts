import { asKayaError, KayaError } from "@kaya/core";
import type { Replica } from "@kaya/engine/replica";
import { assertNotAhead, type FollowHost, follow, isFinal, replayTo } from "./follower.js";
import { isNoAnswer, type NodeState, troubleOf } from "./node-state.js";
import type { LogHead } from "./shared-log.js";

/** The first pause after a failure. Pauses double, up to `presenceMs`. */
const RETRY_MS = 100;

/**
 * The outcome of a replay. `level`: all records are here. `stuck`: no record came for `commitTimeoutMs`. `over`: another node claimed the log, or the signal
 * aborted.
 */
export type Replayed = "level" | "stuck" | "over";

/** Fills the replica of a node from the shared log, and gets over failures that are not final. If records were trimmed, it loads a base. */
export class Following {
  readonly #state: NodeState;
  readonly #host: FollowHost;
  #retryMs = RETRY_MS;

  constructor(state: NodeState) {
    this.#state = state;
    this.#host = {
      log: state.options.log,
      replica: () => state.replica,
      reading: () => state.known.reading(),
      entering: (epoch) => state.entering(epoch),
      applied: () => this.#advanced(),
      trouble: (error) => state.trouble(error),
    };
  }

  /** Applies the log until the signal aborts, and tries again after failures. @throws KayaError a final error */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await follow(this.#host, signal);
      } catch (error) {
        if (signal.aborted && !KayaError.is(error)) return; // the signal's reason
        await this.#getOver(error, signal);
      }
    }
  }

  /**
   * C6: applies the log up to the head that this node's claim made.
   * @throws KayaError a final error
   */
  async replay(claimed: LogHead, signal: AbortSignal): Promise<Replayed> {
    const state = this.#state;
    const { log, clock, commitTimeoutMs } = state.options;
    const isMine = (head: LogHead) => head.epoch === claimed.epoch;
    let [reached, since] = [state.lsn, clock.now()];
    while (!signal.aborted) {
      if (state.lsn > reached) [reached, since] = [state.lsn, clock.now()];
      if (clock.now() - since >= commitTimeoutMs) return "stuck";
      try {
        assertNotAhead(log.name, state.replica, claimed);
        return (await replayTo(this.#host, claimed.lsn, signal, isMine)) ? "level" : "over";
      } catch (error) {
        const { replica } = state;
        await this.#getOver(error, signal);
        if (state.known.epoch > claimed.epoch) return "over";
        // A base beyond the claim comes from a later writer.
        if (state.replica !== replica && state.lsn > claimed.lsn) return "over";
      }
    }
    return "over";
  }

  /** Pauses after a failure, or loads a base. @throws KayaError a final error */
  async #getOver(cause: unknown, signal: AbortSignal): Promise<void> {
    const state = this.#state;
    const error = asKayaError(cause, "follow the shared log");
    if (state.failure !== undefined) throw state.failure;
    if (isFinal(error)) throw error;
    if (signal.aborted) return;
    if (error.code === "KAYA_LOG_TRUNCATED") return this.#loadBase(signal);
    if (error.code !== "KAYA_NOT_FOUND") {
      state.trouble(error);
      if (!isNoAnswer(error)) state.stuck = error;
    }
    const { clock, presenceMs } = state.options;
    await clock.sleep(this.#retryMs, signal);
    this.#retryMs = Math.min(2 * this.#retryMs, presenceMs);
  }

  async #loadBase(signal: AbortSignal): Promise<void> {
    const state = this.#state;
    const { loadBase, clock, presenceMs } = state.options;
    let replica: Replica;
    try {
      replica = await loadBase(state.replica, signal, (epoch) => state.entering(epoch));
    } catch (cause) {
      const error = troubleOf(state.options.log.name, cause);
      if (signal.aborted) return;
      if (isFinal(error) || state.engine.state !== "open") throw error;
      state.stuck = error;
      state.trouble(error);
      await clock.sleep(presenceMs / 2, signal);
      return;
    }
    state.replaceReplica(replica);
    this.#advanced();
  }

  /** The next failure begins with the first pause. */
  #advanced(): void {
    this.#retryMs = RETRY_MS;
    this.#state.advanced();
  }
}
