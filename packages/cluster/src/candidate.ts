import type { KayaError } from "@kaya/core";
import type { ClusterClock } from "./clock.js";
import { decide, type Election } from "./election.js";
import type { LogHead, Members, NodeInfo, SharedLog } from "./shared-log.js";
import { Wake } from "./wake.js";
import { within } from "./within.js";

export interface CandidateOptions {
  readonly log: SharedLog;
  readonly clock: ClusterClock;
  readonly presenceMs: number;
  readonly info: () => NodeInfo;
  /** Called before each read of the head; the returned function gets the head. See `KnownLog.reading`. */
  readonly reading: () => (head: LogHead | undefined) => void;
  readonly onTrouble: (error: unknown) => void;
  /** Called with the error that `reading` threw. */
  readonly onBroken: (error: KayaError) => void;
}

/** A candidate waits for each candidate that comes before it: `presenceMs` divided by this. */
const RANK_SHARE = 8;

/** Watches the members of the log, and decides when this node should try to become the writer. */
export class Candidate {
  readonly #options: CandidateOptions;
  readonly #wake = new Wake();
  #isAsked = false;
  /** Not before this moment, unless it is asked. */
  #yieldsUntil = 0;
  /** Not before this moment, whoever wants it. */
  #restsUntil = 0;
  #members: Members | undefined;
  #election: Election | undefined;

  constructor(options: CandidateOptions) {
    this.#options = options;
  }

  /** The members at the last look. */
  get members(): Members | undefined {
    return this.#members;
  }

  /** True if the last look gave no reason to claim. */
  get hasDecidedToFollow(): boolean {
    return this.#election?.decision === "follow";
  }

  /** Looks again at once. */
  wake(): void {
    this.#wake.wake();
  }

  /** This process was asked to become the writer. */
  ask(): void {
    this.#isAsked = true;
    this.#restsUntil = 0;
    this.wake();
  }

  /** True if this node was asked to become the writer, here or through the log. */
  get isAsked(): boolean {
    return this.#isAsked || this.isWanted;
  }

  /** True if this node was asked to become the writer through the log. */
  get isWanted(): boolean {
    return this.#members?.wanted === this.#options.info().id;
  }

  /** Ends `ask`: the node became the writer, or gave up. */
  answered(): void {
    this.#isAsked = false;
  }

  /** Lets other candidates come first for `presenceMs`. */
  yield(): void {
    this.#yieldsUntil = this.#options.clock.now() + this.#options.presenceMs;
  }

  /** This node cannot become the writer now: it tries again after half of `presenceMs` at the earliest, also if the log wants it. `ask` ends that. */
  rest(): void {
    const { clock, presenceMs } = this.#options;
    this.#restsUntil = clock.now() + presenceMs / 2;
    this.yield();
  }

  /** Resolves when this node should claim the log, or when the signal aborts: it never rejects. */
  async untilElected(signal: AbortSignal): Promise<void> {
    const { clock, presenceMs } = this.#options;
    const step = presenceMs / RANK_SHARE;
    let since: number | undefined;
    while (!signal.aborted) {
      const election = await this.#look(signal);
      if (election?.decision === "claim") {
        since ??= clock.now();
        if (clock.now() >= this.#claimsAt(election, since, step)) return;
      } else {
        since = undefined;
      }
      await this.#wake.loopPause(clock, since === undefined ? presenceMs : step / 2, signal);
    }
  }

  /** @param since when it was first the case that this node should claim */
  #claimsAt(election: Election & { readonly decision: "claim" }, since: number, step: number): number {
    if (election.reason === "asked") return this.#restsUntil;
    return Math.max(since + election.rank * step, this.#yieldsUntil);
  }

  /** Undefined if the log does not answer. */
  async #look(signal: AbortSignal): Promise<Election | undefined> {
    const { log, clock, presenceMs, info, reading, onTrouble } = this.#options;
    const saw = reading();
    let head: LogHead | undefined;
    try {
      // The head is read before the members. A node publishes the role "writer" before it claims, so the members include the writer that the head names.
      head = await within(clock, presenceMs, (call) => log.head({ signal: call }), signal);
      this.#members = await within(clock, presenceMs, (call) => log.members({ signal: call }), signal);
    } catch (error) {
      if (!signal.aborted) onTrouble(error);
      return undefined;
    }
    try {
      saw(head);
    } catch (error) {
      this.#options.onBroken(error as KayaError); // `reading` throws nothing else
      return undefined;
    }
    const self = info();
    const members = this.#isAsked ? { ...this.#members, wanted: self.id } : this.#members;
    const hasYielded = clock.now() < this.#yieldsUntil;
    this.#election = decide({ self, head, members, hasYielded });
    return this.#election;
  }
}
