import type { PartialEngineConfig } from "@kaya/core";
import type { SimDisk, WriteFaultRule } from "@kaya/io";
import { type EngineCheckOptions, engineCheck } from "./engine-check.js";
import { EngineSession } from "./engine-session.js";
import type { EngineWrite } from "./engine-write.js";
import { describeFault } from "./faults.js";
import { type ExplorationBudget, type Scenario, scenario } from "./scenario.js";

/** A fault without its place. */
export type PlacelessFault = WriteFaultRule extends infer R
  ? R extends { at: number }
    ? Omit<R, "at">
    : never
  : never;

/** The use of an engine, from its first opening on. */
export interface Life {
  readonly name: string;
  /** A fault takes bytes from a living process. */
  readonly losesRelaxed?: boolean;
  readonly live: (session: EngineSession, disk: SimDisk) => Promise<void>;
}

export interface LifeOptions extends EngineCheckOptions {
  readonly config: PartialEngineConfig;
  /** Of the openings in the check. Default: `config`. */
  readonly checkedWith?: PartialEngineConfig;
  readonly limits?: ExplorationBudget;
}

/** A scenario of each of the lives, which begin with an engine that is open. */
export function scenariosOf(
  lives: readonly Life[],
  { config, checkedWith = config, limits = {}, ...check }: LifeOptions,
): Scenario[] {
  return lives.map(({ name, losesRelaxed = false, live }) =>
    scenario<EngineWrite>(
      `engine: ${name}`,
      {
        workload: async (disk, history) => {
          const session = new EngineSession(disk, history, { config, losesRelaxed });
          await session.open();
          await live(session, disk);
        },
        check: engineCheck(checkedWith, check),
      },
      limits,
    ),
  );
}

/** Each kind of fault that an operation which changes something can meet. */
export const FAULTS: readonly PlacelessFault[] = [
  { kind: "disk-full" },
  { kind: "partial-write", bytes: 60 },
  { kind: "io-error" },
  { kind: "io-error", outcome: "kept" },
  ...(["readable-until-crash", "kept", "lost"] as const).map(
    (outcome) => ({ kind: "fsync-failed", outcome }) as const,
  ),
];

/** A life for each kind of fault. */
export function livesWithFaults(
  what: string,
  live: (session: EngineSession, disk: SimDisk, fault: PlacelessFault) => Promise<void>,
): Life[] {
  return FAULTS.map((fault) => ({
    name: `${describeFault(fault)} ${what}`,
    losesRelaxed: "outcome" in fault && fault.outcome === "lost",
    live: (session, disk) => live(session, disk, fault),
  }));
}

export function wasMet(disk: SimDisk, at: number): boolean {
  return disk.events.some(({ index, error }) => index === at && error !== undefined);
}

export function long(length: number): string {
  return "x".repeat(length);
}

/** @throws Error if something was refused that no fault struck */
export async function mustBeDone(done: Promise<boolean>, what: string): Promise<void> {
  if (!(await done)) throw new Error(`${what} was refused, and no fault had struck`);
}
