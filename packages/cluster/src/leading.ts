import { asKayaError, KayaError, type Lsn } from "@kaya/core";
import type { Replica, ReplicaBatch } from "@kaya/engine/replica";
import type { BaseKeeper, KeeperHost } from "./base-keeper.js";
import { type NodeMessage, tell } from "./channels.js";
import type { ClusterClock } from "./clock.js";
import { keepAlive } from "./keep-alive.js";
import type { KnownLog } from "./known-log.js";
import { LogAppender } from "./log-appender.js";
import type { LogHead, SharedLog } from "./shared-log.js";
import type { ClusterCounters } from "./stats.js";
import type { Wake } from "./wake.js";
import { within } from "./within.js";

export interface LeadingOptions {
  readonly log: SharedLog;
  readonly clock: ClusterClock;
  readonly nodeId: string;
  readonly commitTimeoutMs: number;
  readonly presenceMs: number;
  /** The head that this node's claim made. */
  readonly head: LogHead;
  /** The replica, with all records up to that head. */
  readonly replica: Replica;
  readonly known: KnownLog;
  readonly counters: ClusterCounters;
  /** Woken when other nodes come and go, or are wanted. */
  readonly membersChanged: Wake;
  readonly keeper: (host: KeeperHost) => BaseKeeper;
  message(): NodeMessage;
  /** Resolves once the records up to `lsn` can be read here. @throws KayaError KAYA_WRITER_FAILED; or the signal's reason */
  untilApplied(lsn: Lsn, signal: AbortSignal): Promise<void>;
  trouble(error: unknown): void;
  /** No write is accepted any more. Called once. */
  ended(): void;
  /** This node makes way: other nodes come first. */
  yielded(): void;
  /** This node's directory has refused a write. */
  refusedHere(error: KayaError): void;
}

/** One epoch of a node as the writer: from the first write that it accepts until the last one has settled. */
export class Leading {
  readonly #options: LeadingOptions;
  readonly #appender: LogAppender;
  readonly #keeper: BaseKeeper;
  readonly #stop = new AbortController();
  #drained: Promise<void> = Promise.resolve();
  /** No other node that could take over was present at the last look. */
  #isAlone = false;

  /** From now on the node accepts writes. */
  constructor(options: LeadingOptions) {
    const { log, clock, commitTimeoutMs, head, replica, counters } = options;
    this.#options = options;
    this.#appender = new LogAppender({
      log,
      clock,
      commitTimeoutMs,
      head,
      events: {
        appended: (batch, durationMs) => this.#appended(batch, durationMs),
        doubted: (error) => {
          counters.doubted();
          options.trouble(error);
        },
        ended: (reason) => {
          if (reason.code !== "KAYA_FENCED") options.trouble(reason);
          this.stop();
        },
      },
    });
    this.#keeper = options.keeper({
      engine: () => replica.engine,
      untilApplied: (lsn, signal) => options.untilApplied(lsn, signal),
      head: () => this.#appender.head,
      counters,
      message: () => options.message(),
      trouble: (error) => options.trouble(error),
    });
    replica.lead(
      (batch) => this.#commit(batch),
      (error) => this.#refusedHere(error),
    );
    this.#keeper.start();
  }

  /** The keeper of the shared log's tail. */
  get keeper(): BaseKeeper {
    return this.#keeper;
  }

  /** Takes a head that was seen: another node may have become the writer. */
  observe(head: LogHead): void {
    this.#appender.observe(head);
  }

  /** Accepts no more writes. Writes that already have an LSN are still appended. */
  stop(): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#drained = this.#options.replica.follow();
    this.#drained.catch(() => undefined); // `run` awaits it
    this.#options.ended();
  }

  /**
   * Resolves when this node is no longer the writer, and no append is under way.
   * @throws KayaError KAYA_CORRUPTION if the shared log lost records
   */
  async run(): Promise<void> {
    const { clock, presenceMs, membersChanged } = this.#options;
    const { signal } = this.#stop;
    try {
      while (!signal.aborted) {
        await this.#lookAtWishes(signal);
        await membersChanged.loopPause(clock, presenceMs / 2, signal);
        if (!signal.aborted) await this.#lookAtHead(signal);
      }
    } finally {
      this.stop();
      await Promise.all([this.#drained, this.#keeper.close()]);
    }
  }

  #appended({ firstLsn, lastLsn, bytes }: ReplicaBatch, durationMs: number): void {
    const { known, counters, message } = this.#options;
    known.answered();
    known.saw(this.#appender.head);
    counters.appended(bytes.length, durationMs);
    tell("append", () => {
      const result = { result: "appended", bytes: bytes.length, durationMs } as const;
      return { ...message(), firstLsn, lastLsn, ...result };
    });
  }

  /** C2, C3: the engine hands over one batch at a time, and acknowledges nothing before this resolves. */
  async #commit(batch: ReplicaBatch): Promise<void> {
    const { clock, counters, message } = this.#options;
    try {
      await keepAlive(
        clock,
        this.#keeper.admit(batch.bytes.length).then(() => this.#append(batch)),
      );
    } catch (cause) {
      const error = asKayaError(cause, "append to the shared log");
      counters.refused(error);
      const { firstLsn, lastLsn } = batch;
      tell("append", () => ({ ...message(), firstLsn, lastLsn, result: "refused", error }));
      throw error;
    }
  }

  /** The directory refuses writes, and nothing of them is in the shared log. It may refuse the next ones too: the node makes way, if it can for somebody. */
  #refusedHere(error: KayaError): void {
    if (this.#stop.signal.aborted) return;
    this.#options.refusedHere(error);
    if (this.#isAlone) return;
    this.#options.yielded();
    this.stop();
  }

  async #append(batch: ReplicaBatch): Promise<void> {
    try {
      await this.#appender.append(batch);
    } catch (error) {
      if (KayaError.is(error, "KAYA_DISK_FULL")) this.#keeper.refused();
      throw error;
    }
  }

  /** Reads the head, so that an idle writer notices a takeover. */
  async #lookAtHead(signal: AbortSignal): Promise<void> {
    const { log, clock, presenceMs, known, trouble } = this.#options;
    const saw = known.reading();
    try {
      saw(await within(clock, presenceMs, (call) => log.head({ signal: call }), signal));
    } catch (error) {
      if (signal.aborted) return;
      if (KayaError.is(error, "KAYA_CORRUPTION")) throw error;
      trouble(error);
    }
  }

  /** Withdraws a fulfilled request for this node. Makes way for another node that was asked and is present, because it could hardly claim beside a busy writer. */
  async #lookAtWishes(signal: AbortSignal): Promise<void> {
    const { log, clock, presenceMs, nodeId, trouble, yielded } = this.#options;
    const call = <T>(run: (signal: AbortSignal) => Promise<T>) => within(clock, presenceMs, run, signal);
    try {
      const { wanted, nodes } = await call((given) => log.members({ signal: given }));
      this.#isAlone = !nodes.some(({ id, isFollowerOnly }) => id !== nodeId && !isFollowerOnly);
      if (wanted === nodeId) return await call((given) => log.want(undefined, { signal: given }));
      if (!nodes.some(({ id }) => id === wanted)) return;
      yielded();
      this.stop();
    } catch (error) {
      if (!signal.aborted) trouble(error); // it looks again
    }
  }
}
