import { KayaError } from "@kaya/core";
import { SYSTEM_CLOCK } from "../clock.js";
import { DEFAULT_READ_BYTES } from "../log-rules.js";
import type { LogEntry, LogHead, LogPage } from "../shared-log.js";
import type { EtcdClient } from "./etcd-client.js";
import type { EtcdReader } from "./etcd-reader.js";
import { WatchEnded, watchKeys } from "./etcd-watch.js";
import type { EtcdKeys } from "./keys.js";
import type { WatchResponse } from "./protocol.js";

// The most bytes that wait for a slow reader. Beyond them the watch ends, and pages are read at the reader's pace.
const BUFFER_BYTES = 16 * 1024 * 1024;
// A watch that has been silent for so long is compared with the head.
const SILENCE_MS = 2000;
const RETRY_MS = 100;
const MAX_RETRY_MS = 2000;
const DELETED = 1;

interface FollowOptions {
  readonly signal: AbortSignal;
  readonly onTrouble?: (error: unknown) => void;
}

/** Follows the log: by pages while it is behind, then by a watch that brings each entry as it is written. */
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

  /** As `SharedLog.follow`. */
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

  // Ends without an error when the reader is too slow for it.
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

  // A member may be cut off, or stand still, without ending its streams.
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
        // The change may have been on its way during the question.
        await SYSTEM_CLOCK.sleep(RETRY_MS, signal);
        if (BigInt(head.version) > BigInt(inbox.version))
          return inbox.fail(new WatchEnded("the watch of etcd is silent, and the log has grown", false));
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
  /** Entries whose head has not come yet: an answer may come in parts. */
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

  /** Of the newest head that came. */
  get version(): string {
    return this.#head.version;
  }

  /** Takes answers until there are no more, or too many wait. */
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

  /** The next page, once there is one. Undefined: read pages instead. @throws the error that ended the watch */
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
    for (const entry of this.#pending) {
      if (entry.firstLsn !== this.#position + 1) throw this.#gap(entry.firstLsn);
      this.#position = entry.lastLsn;
      this.#bytes += entry.bytes.length;
      this.#entries.push(entry);
    }
    this.#pending = [];
    if (head.lsn !== this.#position) throw this.#gap(head.lsn);
    this.#head = head;
    this.#isHeadNew = true;
  }

  #gap(lsn: number): KayaError {
    return new KayaError(
      "KAYA_CORRUPTION",
      `${this.#name}: behind LSN ${this.#position} the watch brought LSN ${lsn}`,
    );
  }
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
