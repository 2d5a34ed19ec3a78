import { KayaError } from "@kaya/core";
import type { ClusterClock } from "./clock.js";
import { breakBetween, type SeenHead } from "./epoch-starts.js";
import type { LogHead } from "./shared-log.js";

/** A node's knowledge of the shared log: the newest head that it has seen, and the time of the last answer. */
export class KnownLog {
  readonly #name: string;
  readonly #clock: ClusterClock;
  readonly #onHead: (head: LogHead, before: LogHead | undefined) => void;
  /** The newest head that an earlier process of this node has seen. */
  readonly #seen: SeenHead | undefined;
  #head: LogHead | undefined;
  #contact: number | undefined;
  #trouble: { readonly error: KayaError; readonly at: number } | undefined;

  constructor(
    name: string,
    clock: ClusterClock,
    onHead: (head: LogHead, before: LogHead | undefined) => void,
    seen?: SeenHead,
  ) {
    this.#seen = seen;
    this.#name = name;
    this.#clock = clock;
    this.#onHead = onHead;
  }

  /** The newest head that was seen; undefined: none yet. */
  get head(): LogHead | undefined {
    return this.#head;
  }

  /** The epoch of that head; 0 if none was seen yet. */
  get epoch(): number {
    return this.#head?.epoch ?? 0;
  }

  /** The error of the last failed call; undefined if none has failed. */
  get lastTrouble(): KayaError | undefined {
    return this.#trouble?.error;
  }

  /** False if a call has failed since the last answer. */
  get answers(): boolean {
    return this.#trouble === undefined || (this.#contact ?? -1) >= this.#trouble.at;
  }

  /** Milliseconds since the last answer; undefined before the first. */
  get contactAgeMs(): number | undefined {
    return this.#contact === undefined ? undefined : this.#clock.now() - this.#contact;
  }

  /** Notes that the log answered a call. */
  answered(): void {
    this.#contact = this.#clock.now();
  }

  /** Notes that a call failed. */
  failed(error: KayaError): void {
    this.#trouble = { error, at: this.#clock.now() };
  }

  /**
   * Call this before a read of the head, and give the head to the returned function.
   * @returns a function that notes the head. It throws KayaError KAYA_CORRUPTION if the head cannot follow the heads that were seen before the read began
   */
  reading(): (head: LogHead | undefined) => void {
    let before: SeenHead | undefined = this.#head ?? this.#seen;
    return (head) => {
      this.answered();
      if (before !== undefined) this.#assertLater(before, head);
      before = head;
      if (head !== undefined) this.saw(head);
    };
  }

  /** Notes a head that surely belongs to this log. */
  saw(head: LogHead): void {
    const before = this.#head;
    const isNewer =
      before === undefined ||
      head.epoch > before.epoch ||
      (head.epoch === before.epoch && head.lsn > before.lsn);
    if (!isNewer) return;
    this.#head = head;
    this.#onHead(head, before);
  }

  #assertLater(before: SeenHead, head: LogHead | undefined): void {
    const found = head === undefined ? "it has no head any more" : breakBetween(before, head);
    if (found !== undefined) throw lostRecords(this.#name, found);
  }
}

/** The log lost records that a majority had. No node may go on: the message says what to do. */
export function lostRecords(name: string, found: string): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `${name}: ${found}. The log was replaced, or restored from an older copy: records that were acknowledged are missing in it. Stop all nodes, compare their directories (kayactl inspect), keep the one with the highest LSN, and begin a new log from it.`,
  );
}
