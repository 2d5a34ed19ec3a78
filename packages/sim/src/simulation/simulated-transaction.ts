import { KayaError, type Lsn } from "@kaya/core";
import type { Engine, Transaction, WriteResult } from "@kaya/engine";
import { quote, toBytes, toText } from "./bytes.js";
import {
  applyChange,
  type Change,
  entriesOf,
  type Seen,
  type State,
  type StateEntry,
  seenAt,
  touches,
} from "./state.js";
import type { OpenTransactionStep, StepOperation, StepRange } from "./steps.js";
import type { Attempt } from "./timeline.js";
import { mustHold, RuleBroken } from "./violation.js";
import { Watched } from "./watched.js";
import type { World } from "./world.js";
import { changesOf, rangeOf, recordLength, toOperation } from "./write-input.js";

/** A read of a transaction, on top of so many of its own changes. */
type Read = { readonly own: number } & (
  | { readonly key: string; readonly found: string | undefined }
  | { readonly range: StepRange; readonly found: readonly StateEntry[]; readonly isWhole: boolean }
);

/** The error of its function when it was called again. */
interface Failure {
  readonly error: unknown;
  /** The last write that it could read, acknowledged or not. */
  readonly readTo: Lsn;
}

/** The error that its function throws if the step says so. */
class GaveUp extends Error {}

/**
 * A transaction whose function follows steps while others write. If it lost and is called again, it repeats them at once. It must look as
 * if made at the moment of its commit: all that it read must be the state right before that.
 */
export class SimulatedTransaction {
  readonly strict: boolean;
  readonly answer: Watched<WriteResult>;
  readonly #world: World;
  readonly #script: ((tx: Transaction) => Promise<void>)[] = [];
  #tx: Transaction | undefined;
  #finish: (error?: Error) => void = () => undefined;
  #calls = 0;
  /** The state that it must read, with its own changes, at its one time. */
  #state: State;
  #time: number;
  /** The reads of its first call. */
  readonly #base: Seen;
  #reads: Read[] = [];
  #changes: Change[] = [];
  /** Of all its calls, also where the answer was an error. */
  readonly #asked: ({ readonly key: string } | { readonly range: StepRange })[] = [];
  /** Of the last write that its first call read. */
  readonly #baseLsn: Lsn;
  #attempt: Attempt | undefined;
  #failure: Failure | undefined;

  /** @param onAnswer called where it has its place in the log by then */
  constructor(world: World, engine: Engine, step: OpenTransactionStep, onAnswer: () => void) {
    this.#world = world;
    this.strict = step.durability === "strict";
    this.#base = world.timeline.visible;
    this.#state = lasting(this.#base);
    this.#time = world.time.now;
    this.#baseLsn = world.timeline.acknowledgedLsn;
    const finished = new Promise<void>((resolve, reject) => {
      this.#finish = (error) => (error === undefined ? resolve() : reject(error));
    });
    const { durability, attempts } = step;
    const transacted = engine.transact((tx) => this.#call(tx, finished), { durability, attempts });
    this.answer = new Watched(
      transacted.then(() => this.#result),
      () => this.#attempt !== undefined && onAnswer(),
    );
  }

  get changes(): readonly Change[] {
    return this.#changes;
  }

  /** Of the last call, where its function was called again. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  get(keys: readonly string[]): Promise<void> {
    return this.#do((tx) => this.#get(tx, keys));
  }

  scan(range: StepRange, take: number | undefined): Promise<void> {
    return this.#do((tx) => this.#scan(tx, range, take));
  }

  write(id: number, operations: readonly StepOperation[]): Promise<void> {
    return this.#do(async (tx) => this.#write(tx, id, operations));
  }

  /** Its function ends. */
  finish(fails: boolean): void {
    this.#finish(fails ? new GaveUp() : undefined);
  }

  /** It got a place in the log. @param before all that is before it there */
  placed(attempt: Attempt, before: Seen): void {
    this.#attempt = attempt;
    const state = lasting(before);
    let own = 0;
    for (const read of this.#reads) {
      for (; own < read.own; own++) applyChange(state, this.#changes[own] as Change); // it counted them
      this.#mustBeThere(read, state, attempt.firstLsn);
    }
    this.#world.transactions++;
    if (this.#calls > 1) this.#world.retries++;
  }

  /** It read writes under way, which may be taken back, and its function threw: its answer must wait for theirs. */
  get mustWait(): boolean {
    if (this.#failure === undefined) return false;
    const { error, readTo } = this.#failure;
    if (error instanceof RuleBroken) throw error;
    return readTo > this.#world.timeline.acknowledgedLsn;
  }

  /** It got none. False if others must explain that. */
  isExplained(): boolean {
    const { answer } = this;
    const { error } = answer;
    mustHold(answer.state !== "pending", "hang", () => "a transaction got no LSN and no answer");
    this.#world.digest.add(`transaction ${answer.state} ${String(error)}`);
    if (error instanceof RuleBroken) throw error;
    if (error instanceof GaveUp) return true;
    if (answer.state === "resolved") {
      mustHold(
        this.#changes.length === 0,
        "wrong-answer",
        () => "a transaction got no LSN and was acknowledged",
      );
      return true;
    }
    if (!KayaError.is(error, "KAYA_CONFLICT")) return false;
    this.#mustHaveLost(error);
    return true;
  }

  /** Nothing conflicts that was not read, or not written since. */
  #mustHaveLost({ key, message }: KayaError): void {
    const lost = key === undefined ? undefined : toText(key);
    const isAsked = this.#asked.some((asked) =>
      "key" in asked ? asked.key === lost : lost !== undefined && isInBounds(lost, asked.range),
    );
    const { timeline } = this.#world;
    const hasExpired = lost !== undefined && this.#base.has(lost) && !timeline.projected().has(lost);
    const isChanged = timeline
      .attempts()
      .some(
        ({ lastLsn, changes }) =>
          lastLsn > this.#baseLsn && changes.some((change) => lost !== undefined && touches(change, lost)),
      );
    mustHold(isAsked && (isChanged || hasExpired), "wrong-refusal", () => {
      return `a transaction was told of a conflict on ${quote(lost)}, which it ${isAsked ? "read, and nobody wrote" : "did not read"}: ${message}`;
    });
    this.#world.lostTransactions++;
  }

  get #result(): WriteResult {
    const { lastLsn = 0, firstSequence = 0 } = this.#attempt ?? {};
    // Its result does not say whether a relaxed one is durable already.
    return { lsn: lastLsn, sequence: firstSequence, durable: this.strict };
  }

  async #call(tx: Transaction, finished: Promise<void>): Promise<void> {
    this.#tx = tx;
    if (++this.#calls === 1) return finished;
    const { timeline } = this.#world;
    this.#state = lasting(timeline.projected());
    this.#time = this.#world.time.now;
    this.#reads = [];
    this.#changes = [];
    this.#failure = undefined;
    try {
      for (const part of this.#script) await part(tx);
    } catch (error) {
      this.#failure = { error, readTo: timeline.lastLsn };
      throw error;
    }
  }

  /** Where a fault strikes a table that is read, the read may be told so, and the function goes on without. */
  async #do(part: (tx: Transaction) => Promise<void>): Promise<void> {
    const { faults, digest } = this.#world;
    const before = faults.strikes.length;
    this.#script.push(part);
    try {
      await part(this.#tx as Transaction); // it is called before the constructor is done
    } catch (error) {
      if (!KayaError.is(error, "KAYA_IO") || faults.strikes.length === before) throw error;
      digest.add(`not read: ${error}`);
    }
  }

  async #get(tx: Transaction, keys: readonly string[]): Promise<void> {
    for (const [i, key] of keys.entries()) {
      this.#asked.push({ key });
      const bytes = toBytes(key);
      const reads = [
        () => tx.getSync(bytes),
        () => tx.get(bytes),
        async () => (await tx.getEntry(bytes)).value,
        async () => (await tx.getMany([bytes]))[0],
      ];
      const value = await reads[i % reads.length]?.();
      this.#note({ key, found: value && toText(value), own: this.#changes.length });
    }
  }

  async #scan(tx: Transaction, range: StepRange, take: number | undefined): Promise<void> {
    this.#asked.push({ range });
    const found: StateEntry[] = [];
    const own = this.#changes.length;
    if (take === undefined) {
      const count = await tx.count(rangeOf(range));
      const expected = entriesOf(seenAt(this.#state, this.#time), range).length;
      mustHold(
        count === expected,
        "wrong-read",
        () => `a transaction counted ${count} where there are ${expected}`,
      );
    }
    let isWhole = true;
    for await (const { key, value } of tx.scan(rangeOf(range))) {
      found.push([toText(key), toText(value)]);
      isWhole = found.length !== take;
      if (!isWhole) break;
    }
    this.#note({ range, found, isWhole, own });
  }

  #write(tx: Transaction, id: number, operations: readonly StepOperation[]): void {
    const step = { step: "batch", id, operations, durability: "strict" } as const;
    const { now } = this.#world.time;
    const changes = changesOf(step, () => this.#base, now);
    const all = [...this.#changes, ...changes];
    const { timeline, config } = this.#world;
    const kind =
      all.length === 1 ? ({ step: "put", id, key: "", length: 0, durability: "strict" } as const) : step;
    const length = recordLength(kind, all, timeline.lastLsn + 1, timeline.lastSequence + 1);
    try {
      tx.batch(changes.map((change) => toOperation(change, now)));
    } catch (error) {
      const isTooLong = KayaError.is(error, "KAYA_INVALID_ARGUMENT") && length > config.maxRecordBytes;
      mustHold(isTooLong, "wrong-refusal", () => {
        return `writes of ${length} bytes were refused in a transaction with maxRecordBytes ${config.maxRecordBytes}: ${error}`;
      });
      return;
    }
    mustHold(
      length <= config.maxRecordBytes,
      "wrong-refusal",
      () => `a transaction took writes of ${length} bytes`,
    );
    for (const change of changes) applyChange(this.#state, change);
    this.#changes = all;
  }

  #note(read: Read): void {
    this.#world.reads++;
    this.#mustBeThere(read, this.#state, undefined);
    this.#reads.push(read);
  }

  /** @param lsn of the transaction, where it is about what was there right before it */
  #mustBeThere(read: Read, all: State, lsn: Lsn | undefined): void {
    const state = seenAt(all, this.#time);
    const rule = lsn === undefined ? "wrong-read" : "not-serializable";
    const when = lsn === undefined ? "while it ran" : `right before its commit with LSN ${lsn}`;
    if ("key" in read) {
      const there = state.get(read.key);
      mustHold(read.found === there, rule, () => {
        return `a transaction read ${quote(read.key)} as ${quote(read.found)}; ${when} it was ${quote(there)}`;
      });
      return;
    }
    const entries = entriesOf(state, read.range);
    const there = read.isWhole ? entries : entries.slice(0, read.found.length);
    mustHold(JSON.stringify(read.found) === JSON.stringify(there), rule, () => {
      return `a transaction read ${JSON.stringify(read.range)} as ${shown(read.found)}; ${when} it was ${shown(there)}`;
    });
  }
}

/** The state at one time, with changes on top. */
function lasting(seen: Seen): State {
  return new Map([...seen].map(([key, value]) => [key, { value, expiresAt: undefined }]));
}

function isInBounds(key: string, { reverse, limit, ...bounds }: StepRange): boolean {
  return entriesOf(new Map([[key, ""]]), bounds).length > 0;
}

function shown(entries: readonly StateEntry[]): string {
  return `[${entries.map(([key, value]) => `${quote(key)} = ${quote(value)}`).join(", ")}]`;
}
