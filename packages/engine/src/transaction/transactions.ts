import { describe, KayaError } from "@kaya/core";
import { showKey } from "../conditions.js";
import { FairTurns, type Turn, untilAborted } from "../fair-turns.js";
import { invalid } from "../input.js";
import { nameOfBytes } from "../memtable/bytes.js";
import type { HeadEngine } from "../modify.js";
import type { Turns } from "../turns.js";
import type { UntilClosed } from "../until-closed.js";
import { isPromise, type RetryOptions, readRetryOptions } from "../update.js";
import type { WriteInput } from "../write.js";
import { Basis } from "./basis.js";
import { OwnWrites } from "./own-writes.js";
import { QueueView } from "./queue-view.js";
import { Transaction } from "./transaction.js";
import { TransactionSource } from "./transaction-source.js";
import { type Lost, Validation } from "./validate.js";

export interface TransactedEngine extends HeadEngine {
  readonly turns: Turns;
  readonly maxRecordBytes: number;
  /** Tries until nothing has to be read from the disk for what `append` adds. */
  retry<T>(attempt: () => Promise<T>): Promise<T>;
}

/** One that lost so often goes first: the commits of others wait for it. */
const LOSSES_BEFORE_PRECEDENCE = 4;

type TransactionFunction<T> = (tx: Transaction) => T | Promise<T>;
type Asked = ReturnType<typeof readRetryOptions>;

/** It read a write that was under way, failed, and was taken back: its result is void. */
const TAKEN_BACK = Symbol("taken back");

/** Its answer waits for the disk alone, its writes have their place in the log; or what it read was changed before. */
type Outcome<T> =
  | { readonly answer: Promise<T>; readonly lost?: undefined }
  | { readonly lost: Lost | typeof TAKEN_BACK };

/** Runs functions as transactions: again, where something that one read was changed before it had its place in the log. */
export class Transactions {
  readonly #engine: TransactedEngine;
  readonly #input: WriteInput;
  readonly #queue: QueueView;
  /** Of those that lost on a key, updates too. */
  readonly #keyTurns: FairTurns;
  readonly #untilClosed: UntilClosed;
  /** Of those that lost on a range. */
  readonly #rangeTurns: FairTurns;
  /** Of those that go first. */
  readonly #firstTurns: FairTurns;
  /** The turn of the one that goes first now. */
  #first: Turn | undefined;

  constructor(engine: TransactedEngine, input: WriteInput, keyTurns: FairTurns, untilClosed: UntilClosed) {
    this.#untilClosed = untilClosed;
    this.#engine = engine;
    this.#input = input;
    this.#keyTurns = keyTurns;
    this.#rangeTurns = new FairTurns(engine.turns.longestPrecedenceMs);
    this.#firstTurns = new FairTurns(engine.turns.longestPrecedenceMs);
    this.#queue = new QueueView(engine.applied, engine.wal);
  }

  async run<T>(fn: TransactionFunction<T>, options: RetryOptions | undefined): Promise<T> {
    this.#engine.assertWritable();
    if (typeof fn !== "function") throw invalid(`transact takes a function, not ${describe(fn)}`);
    const asked = readRetryOptions(options, this.#input);
    // Outside the turn: those behind it need not wait for the disk.
    const { answer } = await this.#place(fn, asked);
    return answer;
  }

  async #place<T>(fn: TransactionFunction<T>, asked: Asked) {
    let turn: Turn | undefined;
    try {
      for (let attempt = 1; ; attempt++) {
        const outcome = await this.#attempt(fn, asked, attempt, turn);
        if (outcome.lost === undefined) return outcome;
        if (attempt === asked.attempts) throw gaveUp(outcome.lost, attempt);
        if (outcome.lost !== TAKEN_BACK)
          turn = await this.#turnAfter(outcome.lost, attempt, turn, asked.signal);
      }
    } finally {
      turn?.end();
    }
  }

  /** @param turn the one that it has, which it keeps where it is the right one */
  async #turnAfter(
    lost: Lost,
    losses: number,
    turn: Turn | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Turn> {
    const isFirst = losses >= LOSSES_BEFORE_PRECEDENCE;
    const [turns, name] = isFirst ? ([this.#firstTurns, ""] as const) : this.#turnsOf(lost);
    if (turn !== undefined && turns.holds(name, turn)) return turn;
    // Holding one turn while waiting for another could last for ever.
    turn?.end();
    const next = await turns.take(name, signal);
    if (isFirst) this.#first = next;
    return next;
  }

  #turnsOf({ key, range }: Lost): readonly [FairTurns, string] {
    if (range === undefined) return [this.#keyTurns, nameOfBytes(key)];
    return [
      this.#rangeTurns,
      `${nameOfBytes(range.start)}\n${range.end === undefined ? "" : nameOfBytes(range.end)}`,
    ];
  }

  async #attempt<T>(
    fn: TransactionFunction<T>,
    asked: Asked,
    attempt: number,
    turn: Turn | undefined,
  ): Promise<Outcome<T>> {
    const { turns, maxRecordBytes, assertWritable } = this.#engine;
    asked.signal?.throwIfAborted();
    assertWritable();
    const own = new OwnWrites(maxRecordBytes);
    const source = new TransactionSource(this.#basis(attempt > 1), own, turns, assertWritable);
    const transaction = new Transaction(source, own, this.#input);
    try {
      let result: T;
      try {
        const given = fn(transaction);
        const waited = isPromise(given) ? this.#untilClosed.wait(given) : Promise.resolve(given);
        result = await untilAborted(waited, asked.signal);
      } catch (error) {
        return this.#onceCertain(source.basis, () => {
          throw error;
        });
      }
      source.end();
      if (own.isEmpty) return this.#onceCertain(source.basis, () => result);
      for (let first = this.#goesFirst; first !== undefined && first !== turn; first = this.#goesFirst)
        await first.ended;
      return await this.#engine.retry(() => this.#commit(source, own, asked, result));
    } finally {
      source.release();
    }
  }

  get #goesFirst(): Turn | undefined {
    if (this.#first?.isOver === true) this.#first = undefined;
    return this.#first;
  }

  /** The first attempt reads what is applied. Those after it read at the head of the queue, so that they share the next fsync. */
  #basis(atHead: boolean): Basis {
    const { applied } = this.#engine;
    const queued = atHead && !this.#queue.isEmpty ? this.#queue.moment() : undefined;
    return new Basis(applied.snapshot(), queued ?? applied.position, queued);
  }

  /** An answer that writes nothing: it counts once what it read cannot be taken back any more. Rejects as those writes where they are taken back. */
  #onceCertain<T>({ queued }: Basis, answer: () => T): Outcome<T> {
    const { wal } = this.#engine;
    if (queued === undefined) return { answer: Promise.resolve().then(answer) };
    if (queued.takeBacks !== wal.takeBacks) return { lost: TAKEN_BACK };
    return { answer: wal.settle().then(answer) };
  }

  async #commit<T>(
    source: TransactionSource,
    own: OwnWrites,
    { signal, durability }: Asked,
    result: T,
  ): Promise<Outcome<T>> {
    const { applied, wal, assertWritable, append } = this.#engine;
    const { queued } = source.basis;
    const validation = new Validation(applied, wal, source);
    for (;;) {
      assertWritable();
      signal?.throwIfAborted();
      if (queued !== undefined && queued.takeBacks !== wal.takeBacks) return { lost: TAKEN_BACK };
      if (wal.failure === undefined) {
        const { isInMemory } = validation;
        const lost = isInMemory ? validation.lostNow() : await validation.lostInTables();
        if (lost !== undefined) return { lost };
        if (!isInMemory) continue;
      }
      // Where the log has failed, that is what it is rejected with.
      return { answer: append(own.payload(), durability).then(() => result) };
    }
  }
}

function gaveUp(lost: Lost | typeof TAKEN_BACK, attempts: number): KayaError {
  const advice = "Try again later, make the function faster or let it read less, or give more `attempts`.";
  if (lost === TAKEN_BACK) {
    const message = `nothing was written: in the last of ${attempts} attempts writes that the transaction had read were taken back, as they failed. ${advice}`;
    return new KayaError("KAYA_CONFLICT", message);
  }
  const { key, range, sequence } = lost;
  const by = sequence === undefined ? "was deleted" : `was changed by the write with sequence ${sequence}`;
  const where =
    range === undefined
      ? ""
      : `, in the range from ${showKey(range.start)} to ${range.end === undefined ? "the last key" : showKey(range.end)}`;
  return new KayaError(
    "KAYA_CONFLICT",
    `nothing was written: what the transaction read was changed in each of ${attempts} attempts. The last time the key ${showKey(key)}${where}, ${by}. ${advice}`,
    { key: new Uint8Array(key), sequence },
  );
}
