import { KayaError } from "@kaya/core";
import type { ClusterClock } from "./clock.js";
import type { NodeInfo, Presence, SharedLog } from "./shared-log.js";
import { within } from "./within.js";

export interface PresenceOptions {
  readonly log: SharedLog;
  readonly clock: ClusterClock;
  /** How long a presence lasts, in milliseconds. It is renewed three times as often. */
  readonly presenceMs: number;
  /** The facts to publish now. */
  readonly info: () => NodeInfo;
  readonly onAnswer: () => void;
  readonly onTrouble: (error: unknown) => void;
}

/** Keeps this node's presence in the log. A presence protects nothing (C8), so a node whose presence fails goes on. */
export class PresenceKeeper {
  readonly #options: PresenceOptions;
  readonly #end = new AbortController();
  #presence: Presence | undefined;
  #told: Promise<void> = Promise.resolve();
  #loop: Promise<void> | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Publishes the facts at once. Resolves also if that fails. */
  tell(): Promise<void> {
    this.#told = this.#told.then(() => this.#renew());
    return this.#told;
  }

  /**
   * Ends the presence, so that others need not wait until it runs out. Resolves when no call is under way any more: after `presenceMs` at most, also if the log
   * is silent.
   */
  async end(): Promise<void> {
    this.#end.abort();
    await this.#loop;
    await this.#told;
    const presence = this.#presence;
    this.#presence = undefined;
    const { clock, presenceMs } = this.#options;
    // It runs out by itself if this fails.
    await within(clock, presenceMs, async (call) => presence?.end({ signal: call })).catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      await this.tell();
      await this.#options.clock.sleep(this.#options.presenceMs / 3, signal);
    }
  }

  async #renew(): Promise<void> {
    const { signal } = this.#end;
    if (signal.aborted) return;
    const { onAnswer, onTrouble } = this.#options;
    try {
      await this.#renewOrAnnounce(signal);
      onAnswer();
    } catch (error) {
      if (!signal.aborted) onTrouble(error);
    }
  }

  async #renewOrAnnounce(signal: AbortSignal): Promise<void> {
    const { log, clock, presenceMs, info } = this.#options;
    const presence = this.#presence;
    if (presence !== undefined) {
      try {
        return await within(clock, presenceMs, (call) => presence.renew(info(), { signal: call }), signal);
      } catch (error) {
        if (!KayaError.is(error, "KAYA_NOT_FOUND")) throw error;
        this.#presence = undefined; // it ran out
      }
    }
    this.#presence = await within(
      clock,
      presenceMs,
      (call) => log.announce(info(), presenceMs, { signal: call }),
      signal,
    );
  }
}
