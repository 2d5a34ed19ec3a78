import { setMaxListeners } from "node:events";
import { KayaError, throwIfAborted } from "@kaya/core";
import {
  checkEntry,
  checkPresence,
  checkTrim,
  closed,
  DEFAULT_READ_BYTES,
  type StoredBase,
} from "../log-rules.js";
import type {
  CallOptions,
  LogBase,
  LogClaim,
  LogEntry,
  LogHead,
  LogPage,
  Members,
  NodeInfo,
  Presence,
  SharedLog,
} from "../shared-log.js";
import type { SimCallKind } from "./sim-faults.js";
import type { SimLog } from "./sim-log.js";
import type { SimState } from "./sim-state.js";

const WRITES: ReadonlySet<SimCallKind> = new Set([
  "claim",
  "append",
  "setBase",
  "trim",
  "announce",
  "renew",
  "end",
  "want",
]);
const RETRY_MS = 100;

/** The connection of one node to a `SimLog`. */
export class SimLogClient implements SharedLog {
  /** The log's name and the client's. */
  readonly name: string;
  /** The log's limit. */
  readonly maxEntryBytes: number;
  /** The name of the client. Fault plans and partitions use it. */
  readonly client: string;
  readonly #log: SimLog;
  readonly #state: SimState;
  readonly #closing = new AbortController();

  /** Made by `SimLog.client`. */
  constructor(log: SimLog, state: SimState, client: string) {
    this.name = `${log.name} (${client})`;
    this.maxEntryBytes = log.maxEntryBytes;
    this.client = client;
    this.#log = log;
    this.#state = state;
    // Each pending call adds a listener.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Implements `SharedLog.head`. */
  head(options?: CallOptions): Promise<LogHead | undefined> {
    return this.#call("head", options, () => this.#state.head);
  }

  /** Implements `SharedLog.claim`. */
  claim(expected: LogHead | undefined, claim: LogClaim, options?: CallOptions): Promise<LogHead> {
    return this.#call("claim", options, () => this.#state.claim(expected, claim));
  }

  /** Implements `SharedLog.append`. */
  async append(expected: LogHead, entry: LogEntry, options?: CallOptions): Promise<LogHead> {
    checkEntry(this.name, expected, entry, this.maxEntryBytes);
    // The bytes are copied, as on a network: if the caller changes its bytes later, the pending request stays the same.
    const sent = { ...entry, bytes: entry.bytes.slice() };
    return await this.#call("append", options, () => this.#state.append(expected, sent));
  }

  /** Implements `SharedLog.read`. */
  read(after: number, options?: CallOptions & { readonly maxBytes?: number }): Promise<LogPage> {
    const maxBytes = options?.maxBytes ?? DEFAULT_READ_BYTES;
    return this.#call("read", options, () => this.#state.read(after, maxBytes));
  }

  /** Implements `SharedLog.follow`. */
  async *follow(
    after: number,
    options: { readonly signal: AbortSignal; readonly onTrouble?: (error: unknown) => void },
  ): AsyncGenerator<LogPage> {
    let position = after;
    let seen: string | undefined;
    const changes = new Changes(this.#state, [options.signal, this.#closing.signal]);
    try {
      while (!options.signal.aborted) {
        const before = changes.count;
        const page = await this.#pageOf(position, options);
        if (page === undefined) continue;
        if (page.entries.length > 0 || page.head.version !== seen) {
          seen = page.head.version;
          position = page.entries.at(-1)?.lastLsn ?? position;
          yield page;
        } else await changes.after(before);
      }
    } finally {
      changes.end();
    }
  }

  /** Implements `SharedLog.base`. */
  base(options?: CallOptions): Promise<LogBase | undefined> {
    return this.#call("base", options, () => this.#state.base);
  }

  /** Implements `SharedLog.setBase`. */
  setBase(expected: LogBase | undefined, next: StoredBase, options?: CallOptions): Promise<LogBase> {
    return this.#call("setBase", options, () => this.#state.setBase(expected, next));
  }

  /** Implements `SharedLog.trim`. */
  async trim(base: LogBase, through: number, options?: CallOptions): Promise<void> {
    checkTrim(this.name, base, through);
    await this.#call("trim", options, () => this.#state.trim(base, through));
  }

  /** Implements `SharedLog.announce`. */
  async announce(node: NodeInfo, ttlMs: number, options?: CallOptions): Promise<Presence> {
    checkPresence(this.name, node, ttlMs);
    const announcement = await this.#call("announce", options, () => this.#state.announce(node, ttlMs));
    return {
      renew: (next, given) => this.#call("renew", given, () => this.#state.renew(next, ttlMs, announcement)),
      end: (given) => this.#call("end", given, () => this.#state.endPresence(node.id, announcement)),
    };
  }

  /** Implements `SharedLog.members`. */
  members(options?: CallOptions): Promise<Members> {
    return this.#call("members", options, () => this.#state.members);
  }

  /** Implements `SharedLog.want`. */
  want(nodeId: string | undefined, options?: CallOptions): Promise<void> {
    return this.#call("want", options, () => this.#state.want(nodeId));
  }

  /** Implements `SharedLog.watchMembers`. It also calls back while the node is cut off: an extra call is always allowed. */
  watchMembers(onChange: () => void, { signal }: { readonly signal: AbortSignal }): void {
    if (signal.aborted || this.#closing.signal.aborted) return;
    const stop = this.#state.onMembers(() => queueMicrotask(() => signal.aborted || onChange()));
    const stopHealed = this.#log.onHealed(this.client, onChange);
    const end = () => {
      stop();
      stopHealed();
    };
    signal.addEventListener("abort", end, { once: true });
    this.#closing.signal.addEventListener("abort", end, { once: true });
  }

  /** Implements `SharedLog.close`. */
  async close(): Promise<void> {
    this.#closing.abort(closed(this.name));
  }

  async #call<T>(kind: SimCallKind, options: CallOptions | undefined, perform: () => T): Promise<T> {
    throwIfAborted(options?.signal);
    throwIfAborted(this.#closing.signal);
    const exchanged = this.#log.exchange(this.client, kind, WRITES.has(kind), perform);
    return await unlessAborted(exchanged, [options?.signal, this.#closing.signal]);
  }

  // Undefined: the signal aborted, or no answer came and the caller must try again.
  async #pageOf(
    after: number,
    options: { readonly signal: AbortSignal; readonly onTrouble?: (error: unknown) => void },
  ): Promise<LogPage | undefined> {
    try {
      return await this.#call("follow", options, () => this.#state.read(after, DEFAULT_READ_BYTES));
    } catch (error) {
      if (options.signal.aborted) return undefined;
      if (!isTransient(error)) throw error;
      options.onTrouble?.(error);
      await this.#log.clock.sleep(RETRY_MS, options.signal);
      return undefined;
    }
  }
}

/** Waits for changes of the log, or for a signal. */
class Changes {
  count = 0;
  readonly end: () => void;
  #wake: () => void = () => {};

  constructor(state: SimState, signals: readonly AbortSignal[]) {
    const tell = () => {
      this.count++;
      this.#wake();
    };
    const stop = state.onLog(tell);
    for (const signal of signals) signal.addEventListener("abort", tell, { once: true });
    this.end = () => {
      stop();
      for (const signal of signals) signal.removeEventListener("abort", tell);
    };
  }

  /** Resolves when there were more than `count` changes. */
  async after(count: number): Promise<void> {
    while (this.count <= count)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }
}

function isTransient(error: unknown): boolean {
  return KayaError.is(error, "KAYA_NO_MAJORITY");
}

function unlessAborted<T>(work: Promise<T>, signals: readonly (AbortSignal | undefined)[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const given = signals.filter((signal) => signal !== undefined);
    const clean = () => {
      for (const signal of given) signal.removeEventListener("abort", abort);
    };
    const abort = () => {
      clean();
      reject(given.find((signal) => signal.aborted)?.reason);
    };
    for (const signal of given) signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(clean);
  });
}
