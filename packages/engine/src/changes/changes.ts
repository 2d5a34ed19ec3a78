import type { Lsn, SequenceNumber } from "@kaya/core";
import { type LogFollower, operationsOf, type WalOperation, type WalRecord } from "@kaya/wal";
import { invalid } from "../input.js";
import { onAbort } from "../signal.js";
import type { Turns } from "../turns.js";
import { toToken } from "./change-token.js";

/** What a write did to a key, or to a range of keys. */
export type ChangeOperation =
  | {
      readonly type: "put";
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      /** When the key loses the value by itself, in milliseconds since 1970; not there where it does not. No change tells of that moment. */
      readonly expiresAt?: number;
    }
  | { readonly type: "delete"; readonly key: Uint8Array }
  /** Every key from `start` up to, but without, `end`; without an end there is no upper bound. */
  | { readonly type: "deleteRange"; readonly start: Uint8Array; readonly end: Uint8Array | undefined };

/** One write: a batch stays together. The bytes are copies: change them as you like. */
export interface Change {
  /** Log sequence number of the write's record. */
  readonly lsn: Lsn;
  /** The sequence of the first operation; each further operation has one more. */
  readonly sequence: SequenceNumber;
  /** What the write did, in order. */
  readonly operations: readonly ChangeOperation[];
  /** Pass it as `since` to go on behind this change. */
  readonly token: string;
}

/** What a feed needs of the engine. */
export interface FeedSource {
  readonly follower: LogFollower;
  readonly turns: Turns;
  readonly signal: AbortSignal | undefined;
  /** Called before the first read; gives the log's id. Rejects where the engine is closed, or the id cannot be written. */
  begin(feed: Changes): Promise<string>;
  /** Called when it is over. */
  end(feed: Changes): void;
  /** Undefined where nobody's place is kept. */
  readonly acknowledge: ((token: string) => Promise<void>) | undefined;
}

type Result = IteratorResult<Change, undefined>;

/**
 * The durable changes of an engine, in order. It goes on where the last call left off: read it once, and leave
 * the loop or call `return` to end it. A feed that is not read costs one open file and one buffer.
 */
export class Changes implements AsyncIterableIterator<Change, undefined> {
  readonly #source: FeedSource;
  #id: Promise<string> | undefined;
  /** No signal is waited for any more. */
  #stopWaiting: () => void = () => undefined;

  /** @internal Made by `Engine.changes`. */
  constructor(source: FeedSource) {
    this.#source = source;
  }

  /**
   * The next change, as soon as it is durable. After a rejection the feed is over.
   *
   * @throws KayaError KAYA_LOG_TRUNCATED if a flush dropped the next change from the log; KAYA_WRITER_FAILED
   *   after the last durable change if the engine has failed; KAYA_CORRUPTION with file and offset; KAYA_IO,
   *   KAYA_CLOSED; the first call also KAYA_DISK_FULL or KAYA_FSYNC_FAILED if the log's id cannot be written;
   *   or the signal's reason
   */
  async next(): Promise<Result> {
    try {
      this.#id ??= this.#begin();
      const { done, value } = await this.#follow(this.#id);
      if (done !== true)
        return { done: false, value: await toChange(value, await this.#id, this.#source.turns) };
      this.#end();
      return { done: true, value: undefined };
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** Ends the feed: calls of `next` that wait resolve as done. */
  async return(): Promise<Result> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** The feed itself, for `for await`. Leaving the loop ends it. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the feed at the end of an `await using` block, as `return` does. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Says that everything up to the change with this token is done: the consumer's next feed begins behind it,
   * and the log up to it need not be kept. An older token changes nothing. Resolves when the acknowledgement is
   * durable.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT (no token, or the feed is not a consumer's), KAYA_NOT_FOUND (the
   *   consumer was removed), KAYA_LOG_TRUNCATED (a token of another log), KAYA_CLOSED, KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED. Then the place that was acknowledged before stands
   */
  async acknowledge(token: string): Promise<void> {
    const { acknowledge } = this.#source;
    if (acknowledge === undefined)
      throw invalid("this feed belongs to no consumer: open it with changes({ consumer })");
    return acknowledge(token);
  }

  /**
   * Ends it, and resolves once its file is let go of. What waits rejects with `reason`, or is done where there is none.
   * @internal
   */
  async close(reason?: unknown): Promise<void> {
    this.#end();
    await this.#source.follower.end(reason);
  }

  #begin(): Promise<string> {
    const { signal } = this.#source;
    if (signal?.aborted === true) this.#abort(signal);
    else if (signal !== undefined) this.#stopWaiting = onAbort(signal, () => this.#abort(signal));
    return this.#source.begin(this);
  }

  #abort({ reason }: AbortSignal): void {
    this.#source.follower.end(reason).catch(() => undefined); // the next call is told the reason
  }

  /** In the order of the calls, also of those that come before the first is through. */
  async #follow(id: Promise<string>): Promise<IteratorResult<WalRecord, undefined>> {
    const { follower } = this.#source;
    try {
      await id;
    } catch (error) {
      await follower.end(error);
    }
    return follower.next();
  }

  #end(): void {
    this.#stopWaiting();
    this.#source.end(this);
  }
}

/** The operations of a large batch are copied over several turns of the event loop. */
async function toChange({ lsn, sequence, payload }: WalRecord, id: string, turns: Turns): Promise<Change> {
  const operations: ChangeOperation[] = [];
  for (const operation of operationsOf(payload)) {
    if (operations.length > 0 && operations.length % turns.operations === 0) await turns.next();
    operations.push(copyOf(operation));
  }
  return { lsn, sequence, operations, token: toToken({ id, lsn }) };
}

// What was read is one buffer for many records: a view of it would keep all of it.
function copyOf(operation: WalOperation): ChangeOperation {
  switch (operation.type) {
    case "put": {
      const { key, value, expiresAt } = operation;
      const put = { type: "put", key: key.slice(), value: value.slice() } as const;
      return expiresAt === undefined ? put : { ...put, expiresAt };
    }
    case "delete":
      return { type: "delete", key: operation.key.slice() };
    case "deleteRange":
      return { type: "deleteRange", start: operation.start.slice(), end: operation.end?.slice() };
  }
}
