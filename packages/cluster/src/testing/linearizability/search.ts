import type { CompiledHistory, CompiledOperation } from "./compiled.js";
import { Configurations } from "./configurations.js";
import { Timeline } from "./timeline.js";

/** Where a search went farthest before it could not go on. */
export interface DeadEnd {
  /** How many operations it had placed. */
  readonly placed: number;
  /** The operation that could not be placed before it returned. */
  readonly stuck: CompiledOperation;
  /** The last operations that were placed, in their order. */
  readonly before: readonly CompiledOperation[];
  /** Those that were called before `stuck` returned, and are not placed. */
  readonly beside: readonly CompiledOperation[];
  /** The pair that each key had. */
  readonly state: readonly number[];
}

export interface SearchResult {
  readonly verdict: "linearizable" | "violation" | "undecided";
  readonly configurations: number;
  readonly deadEnd: DeadEnd | undefined;
}

interface Step {
  readonly operation: number;
  /** What its writes replaced. */
  readonly replaced: readonly number[];
}

/** A choice of the search, and how long the trail was before it. */
interface Choice {
  readonly trail: number;
  readonly candidates: readonly number[];
  next: number;
}

/**
 * Looks for an order of all operations that explains every answer and contradicts no return that came before a call.
 *
 * A depth-first search as of Wing and Gong, "Testing and Verifying Concurrent Objects" (JPDC 1993), with the memory of configurations and the
 * "just in time" rule of Lowe, "Testing for Linearizability" (CCPE 2017). What follows keeps it short for registers, and loses no order:
 *
 * - A read whose answer fits is placed at once: it changes nothing.
 * - So is a write that nobody who is left can tell from what it replaces.
 * - A value that somebody has still to see is not replaced if nobody is left to write it again.
 * - A write of unknown outcome is placed only right before an operation that it makes a difference to.
 */
export class Search {
  readonly #history: CompiledHistory;
  readonly #operations: readonly CompiledOperation[];
  readonly #timeline: Timeline;
  readonly #configurations: Configurations;
  readonly #state: Int32Array;
  readonly #trail: Step[] = [];
  readonly #isPlaced: Uint8Array;
  readonly #unknown: readonly number[];
  /** Of each pair, operations that are not placed: those that expect it, those of them that saw it, or met a conflict; those that write it, and surely do. */
  readonly #interested: Int32Array;
  readonly #seers: Int32Array;
  readonly #conflicts: Int32Array;
  /** Of each key, the pairs of which conflicts tell, and all operations that write such a pair. */
  readonly #conflictPairs = new Map<number, Map<number, number[]>>();
  readonly #writers: Int32Array;
  readonly #knownWriters: Int32Array;
  #definite = 0;
  #deadEnd: DeadEnd | undefined;

  constructor(history: CompiledHistory) {
    this.#history = history;
    this.#operations = history.operations;
    const [count, pairs] = [this.#operations.length, history.keyOfPair.length];
    this.#timeline = new Timeline(this.#operations);
    this.#configurations = new Configurations(count, pairs);
    this.#state = Int32Array.from(history.initial);
    this.#isPlaced = new Uint8Array(count);
    this.#unknown = this.#operations.flatMap(({ isUnknown }, index) => (isUnknown ? [index] : []));
    this.#interested = new Int32Array(pairs);
    this.#seers = new Int32Array(pairs);
    this.#conflicts = new Int32Array(pairs);
    this.#writers = new Int32Array(pairs);
    this.#knownWriters = new Int32Array(pairs);
    for (const operation of this.#operations) this.#count(operation, 1);
    this.#noteConflictPairs();
  }

  run(maxConfigurations: number): SearchResult {
    const choices: Choice[] = [];
    for (;;) {
      this.#placeWhatIsFree();
      if (this.#timeline.isEmpty) return this.#result("linearizable");
      const candidates = this.#configurations.add() ? this.#candidates() : [];
      if (candidates.length === 0) this.#noteDeadEnd();
      choices.push({ trail: this.#trail.length, candidates, next: 0 });
      if (!this.#takeNext(choices)) return this.#result("violation");
      if (this.#configurations.count > maxConfigurations) {
        this.#noteDeadEnd();
        return this.#result("undecided");
      }
    }
  }

  #result(verdict: SearchResult["verdict"]): SearchResult {
    return { verdict, configurations: this.#configurations.count, deadEnd: this.#deadEnd };
  }

  /** The next alternative of the last choice that has one. */
  #takeNext(choices: Choice[]): boolean {
    for (let choice = choices.at(-1); choice !== undefined; choice = choices.at(-1)) {
      this.#goBackTo(choice.trail);
      const candidate = choice.candidates[choice.next++];
      if (candidate !== undefined) {
        this.#place(candidate);
        return true;
      }
      choices.pop();
    }
    return false;
  }

  #placeWhatIsFree(): void {
    for (let changed = true; changed; ) {
      changed = false;
      for (const candidate of this.#timeline.candidates()) {
        const operation = this.#operationAt(candidate);
        if (!this.#fits(operation) || !(operation.writes.length === 0 || this.#isInvisible(operation)))
          continue;
        this.#place(candidate);
        changed ||= operation.writes.length > 0;
      }
    }
  }

  /** What may come next, the most likely first. */
  #candidates(): number[] {
    const stuck = this.#timeline.firstToReturn;
    if (stuck === undefined || this.#isHopeless(this.#operationAt(stuck))) return [];
    const may = (index: number) =>
      this.#fits(this.#operationAt(index)) && this.#mayReplace(this.#operationAt(index));
    const open = [...this.#timeline.candidates()];
    const known = open.filter(may).sort((a, b) => this.#inLikelyOrder(a, b));
    const limit = this.#operationAt(stuck).returned;
    const unknown = this.#unknown.filter(
      (index) => this.#isWaiting(index, limit) && may(index) && this.#matters(index, open),
    );
    const seen = new Set(open.flatMap((index) => this.#operationAt(index).expects));
    const isOnlySource = (pair: number) => seen.has(pair) && this.#knownWriters[pair] === 0;
    const isUrgent = (index: number) => this.#operationAt(index).writes.some(isOnlySource);
    return [...unknown.filter(isUrgent), ...known, ...unknown.filter((index) => !isUrgent(index))];
  }

  /** An operation of unknown outcome that was called by then, and may be of use. */
  #isWaiting(index: number, limit: number): boolean {
    const { invoked, writes } = this.#operationAt(index);
    if (this.#isPlaced[index] !== 0 || invoked > limit) return false;
    // One that changes nothing can as well be left out.
    return writes.some((pair) => !this.#has(pair) && this.#isWanted(pair));
  }

  #inLikelyOrder(a: number, b: number): number {
    const [first, second] = [this.#operationAt(a), this.#operationAt(b)];
    const [hint, other] = [first.source.hint, second.source.hint];
    if (hint !== undefined && other !== undefined) return hint - other;
    return first.returned - second.returned;
  }

  #fits({ expects, isConflict }: CompiledOperation): boolean {
    return expects.every((pair) => this.#has(pair)) !== isConflict;
  }

  #has(pair: number): boolean {
    return this.#state[this.#keyOf(pair)] === pair;
  }

  /** Nobody who is left can tell what it writes from what it replaces. */
  #isInvisible(operation: CompiledOperation): boolean {
    return operation.writes.every((pair) => {
      if (this.#mayExplainConflict(operation, this.#keyOf(pair))) return false;
      const replaced = this.#state[this.#keyOf(pair)] as number;
      return (
        this.#othersInterested(operation, pair) === 0 && this.#othersInterested(operation, replaced) === 0
      );
    });
  }

  /** It may take away a value, there now or before it returns, of which a conflict tells that it was not there. */
  #mayExplainConflict({ returned }: CompiledOperation, key: number): boolean {
    for (const [pair, writers] of this.#conflictPairs.get(key) ?? []) {
      if (this.#conflicts[pair] === 0) continue;
      if (this.#has(pair)) return true;
      const isSoon = (index: number) =>
        this.#isPlaced[index] === 0 && this.#operationAt(index).invoked <= returned;
      if ((this.#writers[pair] as number) > 0 && writers.some(isSoon)) return true;
    }
    return false;
  }

  #noteConflictPairs(): void {
    for (const { isConflict, expects } of this.#operations)
      for (const pair of isConflict ? expects : []) {
        const pairs = this.#conflictPairs.get(this.#keyOf(pair)) ?? new Map<number, number[]>();
        this.#conflictPairs.set(this.#keyOf(pair), pairs.set(pair, []));
      }
    for (const [index, { writes }] of this.#operations.entries())
      for (const pair of writes) this.#conflictPairs.get(this.#keyOf(pair))?.get(pair)?.push(index);
  }

  #othersInterested({ expects }: CompiledOperation, pair: number): number {
    return (this.#interested[pair] as number) - (expects.includes(pair) ? 1 : 0);
  }

  /** Who has still to see the value that it replaces could see it later. */
  #mayReplace({ expects, writes }: CompiledOperation): boolean {
    return writes.every((pair) => {
      const replaced = this.#state[this.#keyOf(pair)] as number;
      if (replaced === pair || (this.#writers[replaced] as number) > 0) return true;
      return (this.#seers[replaced] as number) - (expects.includes(replaced) ? 1 : 0) <= 0;
    });
  }

  /** It saw a value that is not there, and nobody is left to write it. */
  #isHopeless({ expects, isConflict }: CompiledOperation): boolean {
    return !isConflict && expects.some((pair) => !this.#has(pair) && this.#writers[pair] === 0);
  }

  /** Whether an operation of unknown outcome makes a difference to one that may come right behind it. */
  #matters(index: number, open: readonly number[]): boolean {
    const { expects, writes } = this.#operationAt(index);
    const keys = new Set(this.#keysOf(this.#operationAt(index)));
    const isSimple = expects.length === 0 && writes.length === 1;
    const isTouched = (other: CompiledOperation) =>
      isSimple && !other.isConflict
        ? other.expects.includes(writes[0] as number)
        : this.#keysOf(other).some((key) => keys.has(key));
    const isLeft = (other: number) => other !== index && this.#isPlaced[other] === 0;
    return [...open, ...this.#unknown.filter(isLeft)].some((other) => isTouched(this.#operationAt(other)));
  }

  /** Somebody saw the value; or a conflict may be explained by the loss of the one that is there. */
  #isWanted(pair: number): boolean {
    const replaced = this.#state[this.#keyOf(pair)] as number;
    return (this.#interested[pair] as number) > 0 || (this.#conflicts[replaced] as number) > 0;
  }

  #place(index: number): void {
    const operation = this.#operationAt(index);
    const replaced = operation.writes.map((pair) => this.#setState(pair));
    this.#trail.push({ operation: index, replaced });
    this.#isPlaced[index] = 1;
    this.#configurations.toggleOperation(index);
    this.#count(operation, -1);
    if (operation.isUnknown) return;
    this.#definite++;
    this.#timeline.lift(index);
  }

  #goBackTo(length: number): void {
    while (this.#trail.length > length) {
      const { operation: index, replaced } = this.#trail.pop() as Step;
      const operation = this.#operationAt(index);
      for (const pair of replaced) this.#setState(pair);
      this.#isPlaced[index] = 0;
      this.#configurations.toggleOperation(index);
      this.#count(operation, 1);
      if (operation.isUnknown) continue;
      this.#definite--;
      this.#timeline.putBack(index);
    }
  }

  /** @returns the pair that the key had */
  #setState(pair: number): number {
    const key = this.#keyOf(pair);
    const replaced = this.#state[key] as number;
    this.#state[key] = pair;
    this.#configurations.togglePair(replaced);
    this.#configurations.togglePair(pair);
    return replaced;
  }

  #count({ expects, writes, isUnknown, isConflict }: CompiledOperation, by: 1 | -1): void {
    for (const pair of expects) {
      (this.#interested[pair] as number) += by;
      if (isConflict) (this.#conflicts[pair] as number) += by;
      else if (!isUnknown) (this.#seers[pair] as number) += by;
    }
    for (const pair of writes) {
      (this.#writers[pair] as number) += by;
      if (!isUnknown) (this.#knownWriters[pair] as number) += by;
    }
  }

  #noteDeadEnd(): void {
    const stuck = this.#timeline.firstToReturn;
    if (stuck === undefined || (this.#deadEnd?.placed ?? -1) >= this.#definite) return;
    const keys = new Set(this.#keysOf(this.#operationAt(stuck)));
    const touches = (operation: CompiledOperation) => this.#keysOf(operation).some((key) => keys.has(key));
    const before: CompiledOperation[] = [];
    for (let at = this.#trail.length - 1; at >= 0 && before.length < 12; at--) {
      const operation = this.#operationAt((this.#trail[at] as Step).operation);
      if (touches(operation)) before.unshift(operation);
    }
    const open = [...this.#timeline.candidates()].filter((index) => index !== stuck);
    const beside = open.map((index) => this.#operationAt(index)).filter(touches);
    this.#deadEnd = {
      placed: this.#definite,
      stuck: this.#operationAt(stuck),
      before,
      beside,
      state: [...this.#state],
    };
  }

  #keysOf({ expects, writes }: CompiledOperation): number[] {
    return [...expects, ...writes].map((pair) => this.#keyOf(pair));
  }

  #operationAt(index: number): CompiledOperation {
    return this.#operations[index] as CompiledOperation;
  }

  #keyOf(pair: number): number {
    return this.#history.keyOfPair[pair] as number;
  }
}
