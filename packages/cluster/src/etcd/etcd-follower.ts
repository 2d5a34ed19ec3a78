import { KayaError } from "@kaya/core";
import { SYSTEM_CLOCK } from "../clock.js";
import { DEFAULT_READ_BYTES } from "../log-rules.js";
import type { LogEntry, LogHead, LogPage } from "../shared-log.js";
import type { EtcdClient } from "./etcd-client.js";
import type { EtcdReader } from "./etcd-reader.js";
import { WatchEnded, watchKeys } from "./etcd-watch.js";
import type { EtcdKeys } from "./keys.js";
import type { WatchResponse } from "./protocol.js";

// The largest number of bytes that wait for a slow reader. If there are more, the watch ends, and the follower reads pages as fast as the
// reader takes them.
const BUFFER_BYTES = 16 * 1024 * 1024;
// After this time without an event, the follower compares the watch with the head.
const SILENCE_MS = 2000;
const RETRY_MS = 100;
const MAX_RETRY_MS = 2000;
const DELETED = 1;

interface FollowOptions {
  readonly signal: AbortSignal;
  readonly onTrouble?: (error: unknown) => void;
}

/** Follows the log. While it is behind, it reads pages. After that, a watch brings each entry as soon as it is written. */
export class EtcdFollower {
  readonly #name: string;
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #reader: EtcdReader;

  constructor(name: string, client: EtcdClient, keys: EtcdKeys, reader: EtcdReader) {
    this.#name = name;
    this.#client = client;
    this.#keys = keys;
    this.#reader = reader;
  }

  /** Implements `SharedLog.follow`. */
  async *follow(after: number, options: FollowOptions): AsyncGenerator<LogPage> {
    const signal = AbortSignal.any([options.signal, this.#client.closing]);
    let position = after;
    let seen: string | undefined;
    let retryMs = RETRY_MS;
    while (!signal.aborted) {
      try {
        const page = await this.#reader.read(position, DEFAULT_READ_BYTES, { signal });
        if (page.entries.length > 0 || page.head.version !== seen) {
          position = page.entries.at(-1)?.lastLsn ?? position;
          seen = page.head.version;
          yield page;
        }
        if (position < page.head.lsn) continue;
        for await (const next of this.#watch(position, page.head, page.revision, signal)) {
          position = next.head.lsn;
          seen = next.head.version;
          yield next;
          retryMs = RETRY_MS;
        }
      } catch (error) {
        if (signal.aborted) break;
        if (isFinal(error)) throw error;
        if (error instanceof WatchEnded && error.isCompacted) continue;
        options.onTrouble?.(error);
        this.#client.rotate();
        await SYSTEM_CLOCK.sleep(retryMs, signal);
        retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
      }
    }
    if (!options.signal.aborted) throw this.#client.closing.reason;
  }

  // Watches the log. It ends without an error if the reader is too slow for the watch.
  async *#watch(
    position: number,
    head: LogHead,
    revision: string,
    given: AbortSignal,
  ): AsyncGenerator<LogPage> {
    const ending = new AbortController();
    const signal = AbortSignal.any([given, ending.signal]);
    const inbox = new Inbox(this.#name, this.#reader, this.#keys, position, head);
    const range = {
      key: this.#keys.head,
      rangeEnd: this.#keys.logEnd,
      startRevision: String(BigInt(revision) + 1n),
    };
    try {
      const answers = await watchKeys(this.#client, range, signal);
      void inbox.fill(answers).finally(() => ending.abort());
      void this.#compareWhenSilent(inbox, signal);
      for (;;) {
        const page = await inbox.take();
        if (page === undefined) return;
        yield page;
      }
    } finally {
      ending.abort();
    }
  }

  // A member may be cut off, or may hang, without ending its streams. So the head is read through any member.
  async #compareWhenSilent(inbox: Inbox, signal: AbortSignal): Promise<void> {
    for (;;) {
      const before = inbox.version;
      await SYSTEM_CLOCK.sleep(SILENCE_MS, signal);
      if (signal.aborted) return;
      if (inbox.version !== before) continue;
      try {
        const head = await this.#reader.head({ signal });
        if (head === undefined)
          return inbox.fail(new KayaError("KAYA_CORRUPTION", `${this.#name}: the head was deleted`));
        // The event of this change may have been on its way while the head was read.
        await SYSTEM_CLOCK.sleep(RETRY_MS, signal);
        if (BigInt(head.version) > BigInt(inbox.version))
          return inbox.fail(
            new WatchEnded("the watch of etcd brings nothing, although the log has grown", false),
          );
      } catch (error) {
        if (signal.aborted) return;
        return inbox.fail(error);
      }
    }
  }
}

/** Entries of a watch that the reader has not taken yet, in order and without a gap. */
class Inbox {
  readonly #name: string;
  readonly #reader: EtcdReader;
  readonly #keys: EtcdKeys;
  #entries: LogEntry[] = [];
  /** Entries whose head has not come yet: the events of one transaction may come in several answers. */
  #pending: LogEntry[] = [];
  #bytes = 0;
  #position: number;
  #head: LogHead;
  #isHeadNew = false;
  #end: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  constructor(name: string, reader: EtcdReader, keys: EtcdKeys, position: number, head: LogHead) {
    this.#name = name;
    this.#reader = reader;
    this.#keys = keys;
    this.#position = position;
    this.#head = head;
  }

  /** The version of the newest head that came. */
  get version(): string {
    return this.#head.version;
  }

  /** Takes answers until the stream ends, or until too many bytes wait for the reader. */
  async fill(answers: AsyncIterable<WatchResponse>): Promise<void> {
    try {
      for await (const answer of answers) {
        for (const { type, kv } of answer.events) this.#take(type, kv);
        this.#wake();
        if (this.#bytes > BUFFER_BYTES) break;
      }
      this.#end ??= { error: undefined };
    } catch (error) {
      this.#end ??= { error };
    }
    this.#wake();
  }

  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  /** Waits for the next page. Undefined: the watch has ended, read pages instead. @throws the error that ended the watch */
  async take(): Promise<LogPage | undefined> {
    while (!this.#isHeadNew && this.#end === undefined)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#isHeadNew) {
      const page = { entries: this.#entries, head: this.#head };
      this.#entries = [];
      this.#bytes = 0;
      this.#isHeadNew = false;
      return page;
    }
    if (this.#end?.error !== undefined) throw this.#end.error;
    return undefined;
  }

  #take(type: number, kv: WatchResponse["events"][number]["kv"]): void {
    if (kv.key.equals(this.#keys.head)) {
      if (type === DELETED)
        throw new KayaError("KAYA_CORRUPTION", `${this.#name}: the head was deleted: restore etcd`);
      this.#takeHead(this.#reader.headOf(kv));
    } else if (type !== DELETED) this.#pending.push(this.#reader.entryOf(kv));
  }

  #takeHead(head: LogHead | undefined): void {
    if (head === undefined) return;
    let position = this.#position;
    for (const { firstLsn, lastLsn } of this.#pending) {
      if (firstLsn !== position + 1) throw gap(position, firstLsn);
      position = lastLsn;
    }
    if (head.lsn !== position) throw gap(position, head.lsn);
    for (const { bytes } of this.#pending) this.#bytes += bytes.length;
    this.#entries.push(...this.#pending);
    this.#pending = [];
    this.#position = position;
    this.#head = head;
    this.#isHeadNew = true;
  }
}

/** Before 3.4.31 and 3.5.13 a watch of etcd may lose events after a compaction. The next page shows whether the log itself has a gap. */
function gap(position: number, lsn: number): WatchEnded {
  return new WatchEnded(`the watch of etcd brought LSN ${lsn} after LSN ${position}`, false);
}

const FINAL = new Set([
  "KAYA_LOG_TRUNCATED",
  "KAYA_CORRUPTION",
  "KAYA_NOT_FOUND",
  "KAYA_IO",
  "KAYA_UNSUPPORTED_VERSION",
  "KAYA_CLOSED",
]);

function isFinal(error: unknown): boolean {
  return KayaError.is(error) && FINAL.has(error.code);
}
