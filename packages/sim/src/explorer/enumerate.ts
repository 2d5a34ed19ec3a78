import type { CrashItem, CrashOutcome, Random } from "@kaya/io";
import { type CrashState, isName, type SystematicKind } from "./crash-state.js";
import { lengthAlone, type SectorSize, tearsOf, type UnsyncedWrite } from "./tears.js";

export interface EnumerationOptions {
  readonly sectorSizes: readonly SectorSize[];
  /** At most so many states. */
  readonly limit: number;
  /** Also that the process alone ends. */
  readonly withKill: boolean;
  /** Of garbage: the same in all systematic states, so that equal states are equal. */
  readonly seed: number;
  /** Chooses if there are more states than the limit. */
  readonly random: Random;
}

// Up to here all kept-or-lost subsets are tried: 2^8 of them.
const EXHAUSTIVE_ITEMS = 8;

/**
 * The ways in which a crash may leave these unsynced operations: the coarse ones first, then everything systematic that
 * has room under the limit (a seeded choice of it where it has not), then random ones.
 */
export function* crashStates(
  items: readonly CrashItem[],
  options: EnumerationOptions,
): Generator<CrashState> {
  const { limit, random, seed } = options;
  let made = 0;
  for (const state of coarseStates(items, options)) {
    if (made++ < limit) yield state;
  }
  if (items.length === 0) return;
  const isExhaustive = items.length <= EXHAUSTIVE_ITEMS;
  const room = Math.max(0, limit - made);
  const fine = [...fineStates(items, options), ...(isExhaustive ? subsets(items, seed) : [])];
  const chosen = sample(fine, isExhaustive ? room : Math.ceil((room * 2) / 3), random);
  for (const make of chosen) yield make();
  const left = room - chosen.length;
  yield* randomStates(items, isExhaustive ? Math.min(left, 2 * items.length) : left, options);
}

function* coarseStates(items: readonly CrashItem[], options: EnumerationOptions): Generator<CrashState> {
  const { seed, withKill } = options;
  if (withKill) yield { kind: "process-killed" };
  yield state("all-lost", "lost", [], seed);
  if (items.length === 0) return;
  yield state("all-kept", "kept", [], seed);
  const names = items.filter(isName);
  const writes = items.filter((item): item is UnsyncedWrite => item.kind === "write");
  if (names.length > 0 && names.length < items.length) {
    yield state("names-only", "lost", all(names, "kept"), seed);
    yield state("data-only", "kept", all(names, "lost"), seed);
  }
  if (writes.length === 0) return;
  yield state("length-only", "kept", all(writes, lengthAlone("old")), seed);
  yield state("length-only", "kept", all(writes, lengthAlone("garbage")), seed);
}

/** Not made yet: of thousands, a small limit takes a few. */
type Candidate = () => CrashState;

function* fineStates(items: readonly CrashItem[], options: EnumerationOptions): Generator<Candidate> {
  const { seed, sectorSizes } = options;
  for (const { id } of items) {
    yield () => state("one-lost", "kept", [[id, "lost"]], seed);
    yield () => state("one-kept", "lost", [[id, "kept"]], seed);
  }
  // The names above a torn write must be there, or it is lost with them.
  const names = all(items.filter(isName), "kept");
  for (const item of items) {
    if (item.kind !== "write") continue;
    for (const torn of tearsOf(item, sectorSizes)) {
      yield () => state("torn", "kept", [[item.id, torn]], seed);
      yield () => state("torn", "lost", [...names, [item.id, torn]], seed);
    }
  }
}

/** Every subset that is kept, except those of the coarse and single states. */
function* subsets(items: readonly CrashItem[], seed: number): Generator<Candidate> {
  for (let mask = 0; mask < 2 ** items.length; mask++) {
    const count = bitCount(mask);
    if (count < 2 || count > items.length - 2) continue;
    yield () => {
      const kept = items.filter((_, index) => (mask & (1 << index)) !== 0);
      return state("subset", "lost", all(kept, "kept"), seed);
    };
  }
}

function* randomStates(
  items: readonly CrashItem[],
  count: number,
  { random, seed }: EnumerationOptions,
): Generator<CrashState> {
  for (let n = 0; n < count; n++) {
    if (n % 2 === 0) {
      yield { kind: "random", seed: random.uint32() };
    } else {
      const kept = items.filter(() => random.chance(0.5));
      yield state("subset", "lost", all(kept, "kept"), seed);
    }
  }
}

/** `count` of them in their order, each as likely as any other; all where there are no more. */
function sample<C>(candidates: readonly C[], count: number, random: Random): readonly C[] {
  if (count >= candidates.length) return candidates;
  let wanted = count;
  return candidates.filter((_, index) => {
    const isChosen = random.below(candidates.length - index) < wanted;
    if (isChosen) wanted--;
    return isChosen;
  });
}

function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}

function all<O extends CrashOutcome>(items: readonly CrashItem[], outcome: O): [number, O][] {
  return items.map(({ id }) => [id, outcome]);
}

function state(
  kind: SystematicKind,
  rest: "kept" | "lost",
  except: readonly (readonly [number, CrashOutcome])[],
  seed: number,
): CrashState {
  return { kind, seed, rest, except };
}
