import { KayaError } from "@kaya/core";
import type { CallOptions, LogEntry, LogHead, SharedLog } from "../src/shared-log.js";

/** The fate of one append. */
export type Fate =
  | "done"
  /** The request is lost. The append is in doubt, and never in the log. */
  | "lost-request"
  /** The reply is lost. The append is in doubt, but in the log. */
  | "lost-reply"
  /** The append gets no answer. Its request arrives at the next call. */
  | "late"
  /** The append gets no answer until it is aborted. */
  | "silence"
  | "no-majority"
  | "disk-full"
  /** Another node claims the log before the request arrives. The request then gets its answer. */
  | "claimed-before"
  /** The append is done, another node claims the log, and the reply is lost. */
  | "claimed-after"
  /** As `claimed-after`, with more epochs than a head remembers. */
  | "claimed-many-after"
  /** As `claimed-before`, with several epochs. */
  | "claimed-many-before"
  /** The log is replaced by an older copy of it. */
  | "restored";

/** The compare-and-append of a shared log. A script gives the fate of each append, in order. After the end of the script it is `done`. */
export class ScriptedLog implements Pick<SharedLog, "name" | "head" | "append"> {
  readonly name = "scripted";
  readonly entries: LogEntry[] = [];
  attempts = 0;
  /** While this is positive, reads of the head reject. */
  silentHeads = 0;
  #head: LogHead = head({ epoch: 1, lsn: 10, sequence: 10 });
  #versions = 1;
  readonly #script: Fate[];
  #late: (() => void) | undefined;

  constructor(...script: Fate[]) {
    this.#script = script;
  }

  get now(): LogHead {
    return this.#head;
  }

  async head(): Promise<LogHead> {
    await undefined;
    this.#arrive();
    if (this.silentHeads-- > 0) throw new KayaError("KAYA_NO_MAJORITY", "no head");
    return this.#head;
  }

  async append(expected: LogHead, entry: LogEntry, { signal }: CallOptions = {}): Promise<LogHead> {
    await undefined;
    this.attempts++;
    this.#arrive();
    const fate = this.#script.shift() ?? "done";
    switch (fate) {
      case "done":
        return this.#apply(expected, entry);
      case "no-majority":
        throw new KayaError("KAYA_NO_MAJORITY", "no member answers");
      case "disk-full":
        throw new KayaError("KAYA_DISK_FULL", "no space");
      case "lost-request":
        throw inDoubt();
      case "silence":
        return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
      case "lost-reply":
        this.#tryApply(expected, entry);
        throw inDoubt();
      case "late":
        this.#late = () => this.#tryApply(expected, entry);
        throw inDoubt();
      case "claimed-before":
        this.claim();
        return this.#apply(expected, entry);
      case "claimed-many-before":
        for (let i = 0; i < 3; i++) this.claim();
        return this.#apply(expected, entry);
      case "claimed-after":
        this.#tryApply(expected, entry);
        this.claim();
        throw inDoubt();
      case "claimed-many-after":
        this.#tryApply(expected, entry);
        for (let i = 0; i < 70; i++) this.claim();
        throw inDoubt();
      case "restored":
        this.#head = head({ epoch: 0, lsn: 3, sequence: 3, version: "restored" });
        throw inDoubt();
    }
  }

  /** Lets another node become the writer and write a record. */
  claim(): void {
    const { epoch, lsn, sequence, starts } = this.#head;
    const start = { epoch: epoch + 1, lsn, writer: "other" };
    this.#head = {
      ...this.#head,
      epoch: epoch + 1,
      lsn: lsn + 1,
      sequence: sequence + 1,
      writer: "other",
      address: "http://other",
      starts: [...starts, start].slice(-64),
      version: `v${++this.#versions}`,
    };
  }

  /** Lets the late request arrive. */
  #arrive(): void {
    this.#late?.();
    this.#late = undefined;
  }

  #tryApply(expected: LogHead, entry: LogEntry): void {
    if (expected.version === this.#head.version) this.#apply(expected, entry);
  }

  #apply(expected: LogHead, entry: LogEntry): LogHead {
    if (expected.version !== this.#head.version)
      throw new KayaError("KAYA_FENCED", "the head is another one");
    this.entries.push(entry);
    this.#head = {
      ...this.#head,
      lsn: entry.lastLsn,
      sequence: entry.lastSequence,
      version: `v${++this.#versions}`,
    };
    return this.#head;
  }
}

export function head(given: Partial<LogHead>): LogHead {
  return {
    epoch: 1,
    lsn: 0,
    sequence: 0,
    logId: "log",
    writer: "me",
    address: undefined,
    bytes: 0,
    starts: [{ epoch: 1, lsn: 0, writer: "me" }],
    version: "v1",
    ...given,
  };
}

function inDoubt(): KayaError {
  return new KayaError("KAYA_IN_DOUBT", "no answer");
}
