import type { CompiledHistory, CompiledOperation } from "./compiled.js";
import { Configurations } from "./configurations.js";
import { Timeline } from "./timeline.js";

/** The state of a search at the end of the longest partial order that it found. */
export interface DeadEnd {
  /** The number of placed operations. */
  readonly placed: number;
  /** The operation that had to be placed next, before it returned. */
  readonly stuck: CompiledOperation;
  /** The last operations that were placed, in order. */
  readonly before: readonly CompiledOperation[];
  /** Operations that were invoked before `stuck` returned and are not placed. */
  readonly beside: readonly CompiledOperation[];
  /** The pair of each key. */
  readonly state: readonly number[];
}

export interface SearchResult {
  readonly verdict: "linearizable" | "violation" | "undecided";
  readonly configurations: number;
  readonly deadEnd: DeadEnd | undefined;
}

interface Step {
  readonly operation: number;
  /** The pairs that its writes replaced. */
  readonly replaced: readonly number[];
}

/** A choice of the search, and the length of the trail before it. */
interface Choice {
  readonly trail: number;
  readonly candidates: readonly number[];
  next: number;
}

/**
 * Searches for a sequential order of all operations that explains each answer and keeps the real-time order.
 *
 * It is a depth-first search as in Wing and Gong, "Testing and Verifying Concurrent Objects" (JPDC 1993), with the cache of configurations
 * and the "just in time" rule of Lowe, "Testing for Linearizability" (CCPE 2017). Four more rules make it fast for registers. None of them
 * excludes a history that has a valid order:
 *
 * - A read whose answer fits the state is placed immediately, because it changes nothing.
 * - A write is placed immediately if no remaining operation can distinguish the new value from the one that it replaces.
 * - A value that a remaining operation has read is not replaced if no remaining operation can write it again.
 * - A write with an unknown outcome is placed only right before an operation for which it makes a difference.
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
  /**
   * Counters for each pair, of operations that are not placed. `#interested`: operations that expect the pair. `#seers`: those of them that
   * saw it. `#conflicts`: those of them that met a conflict. `#writers`: operations that write the pair. `#knownWriters`: those of them
   * that certainly took effect.
   */
  readonly #interested: Int32Array;
  readonly #seers: Int32Array;
  readonly #conflicts: Int32Array;
  /** For each key: the pairs that conflicts expect, each with all operations that write it. */
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

  /** Takes the next alternative of the last choice that has one. False if no choice has one. */
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

  /** The operations that may be placed next, the most likely first. */
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

  /** True for an operation of unknown outcome that was invoked before `limit` and may be useful. */
  #isWaiting(index: number, limit: number): boolean {
    const { invoked, writes } = this.#operationAt(index);
    if (this.#isPlaced[index] !== 0 || invoked > limit) return false;
    // An operation that changes nothing can be left out.
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

  /** True if no remaining operation can distinguish the values that it writes from the values that it replaces. */
  #isInvisible(operation: CompiledOperation): boolean {
    return operation.writes.every((pair) => {
      if (this.#mayExplainConflict(operation, this.#keyOf(pair))) return false;
      const replaced = this.#state[this.#keyOf(pair)] as number;
      return (
        this.#othersInterested(operation, pair) === 0 && this.#othersInterested(operation, replaced) === 0
      );
    });
  }

  /**
   * True if the operation may help to explain a conflict: it may replace a value that a conflict needs to be absent. The value is in the
   * state now, or may be written before the operation returns.
   */
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

  /** True if no remaining operation still needs a value that this one replaces, or if that value can be written again. */
  #mayReplace({ expects, writes }: CompiledOperation): boolean {
    return writes.every((pair) => {
      const replaced = this.#state[this.#keyOf(pair)] as number;
      if (replaced === pair || (this.#writers[replaced] as number) > 0) return true;
      return (this.#seers[replaced] as number) - (expects.includes(replaced) ? 1 : 0) <= 0;
    });
  }

  /** True if the operation saw a value that is not in the state, and that no remaining operation writes. */
  #isHopeless({ expects, isConflict }: CompiledOperation): boolean {
    return !isConflict && expects.some((pair) => !this.#has(pair) && this.#writers[pair] === 0);
  }

  /** Whether an operation of unknown outcome makes a difference for an operation that may come right after it. */
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

  /** True if a remaining operation expects the value, or if a conflict may need the current value to be replaced. */
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

  /** @returns the previous pair of the key */
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
