import { type MetFault, Random, type ScheduledFault, SimDisk } from "@kaya/io";
import type { Recorder } from "./boundary.js";
import { FaultPlaces, faultAt, faultSoon } from "./fault-places.js";
import { describeFault } from "./faults.js";
import { UnmetFaultError } from "./unmet-fault.js";

/**
 * The use of a store while faults strike, round after round. Only `act` and `follow` meet faults. They must not
 * reject because of one: a program goes on after it.
 */
export interface FaultedUse {
  /** Gives the action something to do. */
  prepare(round: number): Promise<void>;
  /** The action that the first fault strikes. */
  act(round: number): Promise<void>;
  /** What follows: the second fault strikes the rest of the action, or this. */
  readonly sequels: readonly Sequel[];
  /** No fault strikes any more: the store works, or works after it is opened again. @throws Error where it does not */
  mend(round: number): Promise<void>;
}

export interface Sequel {
  readonly name: string;
  /** How often it comes, in proportion to the others. */
  readonly weight: number;
  follow(round: number): Promise<void>;
}

export interface FaultPairOptions {
  readonly seed: number;
  /** Rounds, each with a pair of its own. */
  readonly rounds: number;
  /** A fault that takes bytes from a living process may be among them. */
  readonly mayTakeBytes: boolean;
}

/** Of the pairs, at least so many have to strike. */
const LEAST_MET = 0.5;

/** A cleanup has few operations: every other of the second faults strikes one of so many that come next. */
const SOON = 3;

/**
 * Lives through rounds in which two faults strike: the first anywhere in an action, the second anywhere in what follows it. There
 * are too many pairs for all of them, so the seed chooses; each class of operations has its first fault before any has a second
 * one. Recording begins with the second fault: workloads with one fault cover the states after one.
 * @param make begins to use a store on an empty disk
 * @throws UnmetFaultError if too few of them struck: then the places were wrong
 */
export async function liveThroughFaultPairs(
  disk: SimDisk,
  recorder: Recorder,
  make: (disk: SimDisk) => FaultedUse,
  options: FaultPairOptions,
): Promise<void> {
  const { rounds } = options;
  const chooser = await PairChooser.watch(make, options);
  const use = make(disk);
  let struck = 0;
  recorder.onlyWhile(() => false);
  for (let round = 0; round < rounds; round++) {
    await use.prepare(round);
    const { sequelIndex, faults } = chooser.next();
    const sequel = use.sequels[sequelIndex] as Sequel;
    const schedule = disk.scheduleFaults(...faults);
    const haveStruck = () => schedule.met.length === faults.length;
    recorder.onlyWhile(haveStruck);
    await use.act(round);
    await sequel.follow(round);
    schedule.cancel();
    await use.mend(round);
    recorder.onlyWhile(() => false);
    if (!haveStruck()) continue;
    recorder.noteFaultPair(describePair(schedule.met, sequel));
    struck++;
  }
  if (struck >= LEAST_MET * rounds) return;
  throw new UnmetFaultError(`${struck} of ${rounds} pairs of faults struck`);
}

interface ChosenPair {
  readonly sequelIndex: number;
  readonly faults: readonly ScheduledFault[];
}

/** Chooses pairs of faults for an action whose operations it has seen. */
class PairChooser {
  readonly #random: Random;
  readonly #mayTakeBytes: boolean;
  readonly #act: FaultPlaces;
  readonly #sequels: readonly { readonly weight: number; readonly places: FaultPlaces }[];
  #firsts: ScheduledFault[] = [];

  private constructor(
    { seed, mayTakeBytes }: FaultPairOptions,
    act: FaultPlaces,
    sequels: readonly { readonly weight: number; readonly places: FaultPlaces }[],
  ) {
    this.#random = new Random(seed);
    this.#mayTakeBytes = mayTakeBytes;
    this.#act = act;
    this.#sequels = sequels;
  }

  /** Looks at a use in which no fault strikes, on a disk of its own. */
  static async watch(make: (disk: SimDisk) => FaultedUse, options: FaultPairOptions): Promise<PairChooser> {
    const disk = new SimDisk({ seed: options.seed, unhurried: true });
    const use = make(disk);
    let act = new FaultPlaces([]);
    const sequels = [];
    for (const [round, { weight, follow }] of use.sequels.entries()) {
      await use.prepare(round);
      const before = disk.events.length;
      await use.act(round);
      const acted = disk.events.length;
      await follow(round);
      act = new FaultPlaces(disk.events.slice(before, acted));
      sequels.push({ weight, places: new FaultPlaces(disk.events.slice(acted)) });
      await use.mend(round);
    }
    return new PairChooser(options, act, sequels);
  }

  next(): ChosenPair {
    const random = this.#random;
    if (this.#firsts.length === 0)
      this.#firsts = this.#act.choose(random).map((place) => faultAt(place, random, this.#mayTakeBytes));
    const first = this.#firsts.pop();
    if (first === undefined) throw new UnmetFaultError("the action does nothing that a fault could strike");
    const sequelIndex = this.#chooseSequel();
    return { sequelIndex, faults: [first, this.#second(sequelIndex)] };
  }

  #second(sequelIndex: number): ScheduledFault {
    const random = this.#random;
    const [place] = this.#sequels[sequelIndex]?.places.choose(random) ?? [];
    return place === undefined || random.chance(0.5)
      ? faultSoon(random.below(SOON), random)
      : faultAt(place, random, this.#mayTakeBytes);
  }

  #chooseSequel(): number {
    let left = this.#random.below(this.#sequels.reduce((sum, { weight }) => sum + weight, 0));
    return this.#sequels.findIndex(({ weight }) => {
      left -= weight;
      return left < 0;
    });
  }
}

function describePair(met: readonly MetFault[], sequel: Sequel): string {
  const strikes = met.map(({ fault, operation, path }) => `${describeFault(fault)} at ${operation} ${path}`);
  return `${strikes.join(", then ")} (${sequel.name})`;
}
