import { type DurabilityMode, describe, KayaError, readOptions, type SequenceNumber } from "@kaya/core";
import { showKey } from "./conditions.js";
import type { Expiry } from "./expiry.js";
import { type FairTurns, type Turn, untilAborted } from "./fair-turns.js";
import { type Bytes, invalid } from "./input.js";
import { nameOfBytes } from "./memtable/bytes.js";
import {
  atHead,
  type HeadEngine,
  type HeadEntry,
  NOTHING,
  rejectOnceSettled,
  settledOf,
  wroteItself,
} from "./modify.js";
import { checkSignal } from "./signal.js";
import type { UntilClosed } from "./until-closed.js";
import type { WriteInput, WriteOptions, WriteResult } from "./write.js";

/** The function of an `update` returns this to leave the key as it is: nothing is written. */
export const KEEP: unique symbol = Symbol.for("@kaya/engine/KEEP");

/**
 * What the function of an update returns: the new value, undefined to delete the key, or `KEEP` to leave it as
 * it is.
 */
export type Updated = Bytes | undefined | typeof KEEP;

/**
 * The function of an update. It gets a copy of the key's value, or undefined if the key is absent, and returns
 * the new value, undefined to delete the key, or `KEEP`.
 */
export type UpdateFunction = (value: Uint8Array | undefined) => Updated | Promise<Updated>;

/** How often an update or a transaction is tried, and what ends it. */
export interface RetryOptions extends WriteOptions {
  /** How often the function is called at most: a whole number >= 1. Default 100. */
  readonly attempts?: number;
  /**
   * Ends the waiting and the attempts: the call rejects with the signal's reason. A write that has its place in
   * the log is still written.
   */
  readonly signal?: AbortSignal;
}

/**
 * How an update is tried, and when its value expires. Without `ttlMs` or `expiresAt` the new value stays, even
 * if the value that it replaces would have expired.
 */
export interface UpdateOptions extends RetryOptions, Expiry {}

/** Where the update stands in the log, and the value that the key has now. */
export interface UpdateResult extends WriteResult {
  /** The value that the key has now; undefined if it is absent. */
  readonly value: Uint8Array | undefined;
}

const RETRY_OPTIONS: readonly string[] = ["durability", "attempts", "signal"];
const UPDATE_OPTIONS: readonly string[] = [...RETRY_OPTIONS, "ttlMs", "expiresAt"];
const DEFAULT_ATTEMPTS = 100;

/** The options of a transaction, read once. @throws KayaError KAYA_INVALID_ARGUMENT; what the signal aborted with */
export function readRetryOptions(given: RetryOptions | undefined, input: WriteInput) {
  return checkRetryOptions(readOptions(given, RETRY_OPTIONS, "the options of a transaction"), input);
}

function readUpdateOptions(given: UpdateOptions | undefined, input: WriteInput) {
  const options = readOptions(given, UPDATE_OPTIONS, "the options of an update");
  const { attempts, signal, durability } = checkRetryOptions(options, input);
  return { attempts, signal, durability, expiresAt: input.expiryIn(options) };
}

function checkRetryOptions(options: RetryOptions, input: WriteInput) {
  const { attempts = DEFAULT_ATTEMPTS, signal, durability } = options;
  if (!Number.isSafeInteger(attempts) || attempts < 1)
    throw invalid(`attempts must be a whole number >= 1, not ${describe(attempts)}`);
  checkSignal(signal);
  signal?.throwIfAborted();
  return { attempts, signal, durability: input.durability(durability) };
}

interface Asked {
  readonly key: Uint8Array;
  readonly fn: UpdateFunction;
  readonly durability: DurabilityMode;
  readonly signal: AbortSignal | undefined;
  /** Of the new value. */
  readonly expiresAt: number | undefined;
}

/** It has its place in the log, or was in vain, as the key has another state by now. */
type Outcome =
  | { readonly written: Promise<UpdateResult> }
  | { readonly written?: undefined; readonly sequence: SequenceNumber | undefined };

/**
 * Read-modify-writes of one key. A function that gives its value at once is called at the head of the log's queue, and never in vain. One
 * that takes its time writes if the key is still as it was; else it is called again, and those who lost on a key take turns.
 */
export class Updates {
  readonly #head: HeadEngine;
  readonly #input: WriteInput;
  readonly #turns: FairTurns;
  readonly #untilClosed: UntilClosed;

  constructor(head: HeadEngine, input: WriteInput, turns: FairTurns, untilClosed: UntilClosed) {
    this.#untilClosed = untilClosed;
    this.#head = head;
    this.#input = input;
    this.#turns = turns;
  }

  async run(given: Bytes, fn: UpdateFunction, options: UpdateOptions | undefined): Promise<UpdateResult> {
    this.#head.assertWritable();
    const key = new Uint8Array(this.#input.key(given));
    if (typeof fn !== "function") throw invalid(`update takes a function, not ${describe(fn)}`);
    const { attempts, signal, durability, expiresAt } = readUpdateOptions(options, this.#input);
    // Outside the turn: those behind it need not wait for the disk.
    const { written } = await this.#place({ key, fn, durability, signal, expiresAt }, attempts);
    return written;
  }

  async #place(asked: Asked, attempts: number): Promise<{ readonly written: Promise<UpdateResult> }> {
    const { key, signal } = asked;
    const name = nameOfBytes(key);
    let turn: Turn | undefined = this.#turns.isTaken(name) ? await this.#turns.take(name, signal) : undefined;
    try {
      for (let attempt = 1; ; attempt++) {
        const outcome = await this.#attempt(asked);
        if (outcome.written !== undefined) return outcome;
        if (attempt === attempts) throw gaveUp(key, attempts, outcome.sequence);
        turn ??= await this.#turns.take(name, signal);
      }
    } finally {
      turn?.end();
    }
  }

  async #attempt(asked: Asked): Promise<Outcome> {
    const { wal } = this.#head;
    const { key, fn, signal } = asked;
    const first = await atHead(this.#head, [key], (head, isUntouched) => {
      const entry = head[0] as HeadEntry; // of the one key
      signal?.throwIfAborted();
      let given: Updated | Promise<Updated>;
      try {
        given = fn(entry.value);
      } catch (error) {
        return { written: rejectOnceSettled([entry], error) };
      }
      if (isPromise(given)) return { entry, later: given, takeBacks: wal.takeBacks };
      if (!isUntouched()) throw wroteItself();
      return { written: this.#write(asked, entry, given) };
    });
    if (first.later === undefined) return first;
    const { entry, takeBacks } = first;
    let given: Updated;
    try {
      given = await untilAborted(this.#untilClosed.wait(first.later), signal);
    } catch (error) {
      return { written: rejectOnceSettled([entry], error) };
    }
    return atHead(this.#head, [key], (head) => {
      const now = head[0] as HeadEntry; // as above
      signal?.throwIfAborted();
      // A write that was read and then taken back may have given its sequence to another.
      const isLost = entry.ahead !== undefined && takeBacks !== wal.takeBacks;
      if (isLost || now.sequence !== entry.sequence) return { sequence: now.ahead?.sequence ?? now.sequence };
      return { written: this.#write(asked, now, given) };
    });
  }

  #write({ key, durability, expiresAt }: Asked, entry: HeadEntry, given: Updated): Promise<UpdateResult> {
    const { value } = entry;
    const isKept = given === KEEP || (given === undefined && value === undefined);
    if (isKept) return this.#keep(entry, durability);
    const operation = given === undefined ? this.#input.delete(key) : this.#input.put(key, given, expiresAt);
    const written = operation.type === "put" ? operation.value : undefined;
    return this.#head.append(operation, durability).then((result) => ({ ...result, value: written }));
  }

  /** What it read counts once it cannot be taken back any more. */
  async #keep(entry: HeadEntry, durability: DurabilityMode): Promise<UpdateResult> {
    await settledOf([entry]);
    return { ...(await this.#head.append(NOTHING, durability)), value: entry.value };
  }
}

export function isPromise<T>(given: T | PromiseLike<T>): given is PromiseLike<T> {
  return typeof (given as { then?: unknown } | undefined)?.then === "function";
}

function gaveUp(key: Uint8Array, attempts: number, sequence: SequenceNumber | undefined): KayaError {
  const by =
    sequence === undefined ? "it was deleted" : `the last time by the write with sequence ${sequence}`;
  return new KayaError(
    "KAYA_CONFLICT",
    `nothing was written: the key ${showKey(key)} was changed in each of ${attempts} attempts, while the function of an update ran, ${by}. ` +
      "Try again later, make the function faster, or give more `attempts`.",
    { key: new Uint8Array(key), sequence },
  );
}
