import {
  type Fault,
  FaultSchedule,
  type MutatingKind,
  type Random,
  type ReadingKind,
  type ScheduledFault,
  type SimDisk,
} from "@kaya/io";

/** An operation at which a fault may strike. */
interface Place {
  readonly isRead: boolean;
  readonly kind: MutatingKind | ReadingKind;
  /** How many of its kind came before it. */
  readonly nth: number;
}

/** Faults with their weights. A plain failure, and an operation that is done although it fails, come first. */
const WEIGHTS: readonly (readonly [weight: number, fault: Fault])[] = [
  [4, { kind: "io-error" }],
  [3, { kind: "io-error", outcome: "kept" }],
  [2, { kind: "disk-full" }],
  [2, { kind: "partial-write", bytes: 60 }],
  [2, { kind: "fsync-failed", outcome: "readable-until-crash" }],
  [1, { kind: "fsync-failed", outcome: "kept" }],
  [1, { kind: "fsync-failed", outcome: "lost" }],
  [1, { kind: "read-error" }],
];

const ID = /[0-9a-f]{16}/g;

/**
 * Where faults may strike an action, as it went when none did. Operations that are alike but for the number of a file are one
 * class: a long write is not struck more often than the one rename that follows it.
 */
export class FaultPlaces {
  readonly #classes = new Map<string, Place[]>();

  constructor(events: SimDisk["events"]) {
    const seen = new Map<string, number>();
    for (const { index, readIndex, kind, path } of events) {
      if (index === undefined && readIndex === undefined) continue;
      const isRead = index === undefined;
      const counted = `${isRead} ${kind}`;
      const nth = seen.get(counted) ?? 0;
      seen.set(counted, nth + 1);
      const place = { isRead, kind: kind as Place["kind"], nth };
      const name = `${counted} ${path.replaceAll(ID, "*")}`;
      this.#classes.set(name, [...(this.#classes.get(name) ?? []), place]);
    }
  }

  /** One place of each class, in a random order. */
  choose(random: Random): Place[] {
    const places = [...this.#classes.values()].flatMap((all) => all[random.below(all.length)] ?? []);
    for (let i = places.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      const [a, b] = [places[i], places[j]];
      if (a !== undefined && b !== undefined) [places[i], places[j]] = [b, a];
    }
    return places;
  }
}

/** A fault that strikes there. */
export function faultAt({ isRead, kind, nth }: Place, random: Random, mayTakeBytes: boolean): ScheduledFault {
  const fault = pick(
    WEIGHTS.filter(([, each]) => canMeet(each, kind, isRead) && (mayTakeBytes || !takesBytes(each))),
    random,
  );
  return isRead ? { kind: "read-error", after: nth } : { ...fault, only: kind as MutatingKind, after: nth };
}

/** A plain failure of what comes next: a cleanup cuts, removes and syncs. */
export function faultSoon(after: number, random: Random): ScheduledFault {
  return random.chance(0.8) ? { kind: "io-error", after } : { kind: "io-error", outcome: "kept", after };
}

/** Takes bytes from a living process: its relaxed writes are no longer promised. */
function takesBytes(fault: Fault): boolean {
  return "outcome" in fault && fault.outcome === "lost";
}

function canMeet(fault: Fault, kind: Place["kind"], isRead: boolean): boolean {
  const schedule = new FaultSchedule([{ ...fault, after: 0 }]);
  if (isRead) return schedule.meetRead(0, kind as ReadingKind, "");
  return schedule.meet(0, kind as MutatingKind, "") !== undefined;
}

function pick(weights: typeof WEIGHTS, random: Random): Fault {
  let left = random.below(weights.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, fault] of weights) {
    left -= weight;
    if (left < 0) return fault;
  }
  return { kind: "io-error" }; // fits every operation that changes something
}
