import { checkCallback, type KayaError, readOptions, throwIfAborted } from "@kaya/core";
import type { WalWriter } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import { invalid } from "../input.js";
import { checkSignal } from "../signal.js";
import type { Turns } from "../turns.js";
import { type ChangePosition, readToken, toLsn, toToken } from "./change-token.js";
import { Changes } from "./changes.js";
import type { AddConsumerOptions, AddedConsumer, Consumers } from "./consumers.js";

/** Where a change feed begins, and what ends it. */
export interface ChangesOptions {
  /**
   * The feed begins behind the change with this token, or where `changesToken` was called. Default: with the
   * first change that the log has ever had.
   */
  readonly since?: string;
  /** The feed begins where the consumer of this name has acknowledged. Give it instead of `since`. */
  readonly consumer?: string;
  /** Ends the feed: a call that waits rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The change feeds of an engine, and how much log is kept for consumers. */
export interface ChangesStats {
  /** How many feeds are being read. */
  readonly feeds: number;
  /** How many consumers are registered. */
  readonly consumers: number;
  /** Bytes of the log that are kept only for consumers. */
  readonly keptLogBytes: number;
}

interface FollowedEngine {
  readonly wal: WalWriter<unknown>;
  readonly applied: Pick<AppliedLog, "position">;
  readonly consumers: Consumers;
  readonly turns: Turns;
  /** What flushes drop of the log. */
  readonly log: { dropCovered(): Promise<void> };
  /** @throws KayaError KAYA_CLOSED */
  assertOpen(): void;
}

/** The feeds of an engine, and those for whom the log is kept. */
export class ChangeFeeds {
  readonly #engine: FollowedEngine;
  readonly #open = new Set<Changes>();

  constructor(engine: FollowedEngine) {
    this.#engine = engine;
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_FOUND, KAYA_LOG_TRUNCATED, and the signal's reason */
  open(options: ChangesOptions | undefined): Changes {
    const { since, consumer, signal } = readOptions(
      options,
      ["since", "consumer", "signal"],
      "the options of changes",
    );
    if (since !== undefined && consumer !== undefined)
      throw invalid(
        "give since or consumer, not both: to move a consumer, call addConsumer(name, { since })",
      );
    checkSignal(signal);
    throwIfAborted(signal);
    const { wal, consumers, turns } = this.#engine;
    const asked = since === undefined ? undefined : readToken(since);
    const position = consumer === undefined ? asked : consumers.positionOf(consumer);
    const after = position === undefined ? 0 : toLsn(wal.history, position);
    return new Changes({
      follower: wal.follow({ after }),
      turns,
      signal,
      begin: (feed) => this.#begin(feed),
      end: (feed) => this.#open.delete(feed),
      acknowledge: consumer === undefined ? undefined : (token) => this.#acknowledge(consumer, token),
    });
  }

  /** Where the durable changes end now. */
  async token(): Promise<string> {
    return toToken(await this.#now());
  }

  async addConsumer(name: string, given: AddConsumerOptions | undefined): Promise<AddedConsumer> {
    const options = readOptions(given, ["since", "copy"], "the options of addConsumer");
    checkCallback(options.copy, "copy of addConsumer");
    if (options.since !== undefined && options.copy !== undefined)
      throw invalid("give since or copy, not both: with copy the consumer begins at a token of its own");
    return this.#engine.consumers.add(name, options, () => this.#now());
  }

  async removeConsumer(name: string): Promise<boolean> {
    const isGone = await this.#engine.consumers.remove(name);
    await this.#engine.log.dropCovered();
    return isGone;
  }

  get stats(): ChangesStats {
    const { wal, consumers } = this.#engine;
    return { feeds: this.#open.size, consumers: consumers.count, keptLogBytes: wal.keptBytes };
  }

  /** Ends all feeds with `reason`; resolves once their files are let go of and nothing of them is being written. */
  async close(reason: KayaError): Promise<void> {
    await Promise.allSettled([...this.#open].map((feed) => feed.close(reason)));
    await this.#engine.consumers.close(reason);
  }

  async #begin(feed: Changes): Promise<string> {
    this.#engine.assertOpen();
    this.#open.add(feed);
    return (await this.#engine.wal.identify()).id;
  }

  async #now(): Promise<ChangePosition> {
    const { wal, applied } = this.#engine;
    await wal.sync();
    const { id } = await wal.identify();
    // What is durable may not be readable yet: it comes behind the token.
    return { id, lsn: Math.min(wal.durableLsn, applied.position.lsn) };
  }

  async #acknowledge(consumer: string, token: string): Promise<void> {
    this.#engine.assertOpen();
    await this.#engine.consumers.acknowledge(consumer, token);
    await this.#engine.log.dropCovered();
  }
}
