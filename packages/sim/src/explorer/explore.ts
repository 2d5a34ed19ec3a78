import { setImmediate } from "node:timers/promises";
import { Random } from "@kaya/io";
import { type Boundary, type Recording, record, type Workload } from "./boundary.js";
import { type Check, type CrashedDisk, causeOf, crashAt, runCheck, Views } from "./check-run.js";
import type { CrashState } from "./crash-state.js";
import { crashStates } from "./enumerate.js";
import { type ExplorationProgress, type ExplorationReport, Tally } from "./report.js";
import type { SectorSize } from "./tears.js";
import { type CrashPoint, crashPoint } from "./violation.js";

/** A workload, and the check that its result must pass after a crash. */
export interface Explorable<T> {
  /**
   * The code under test, in use. It runs once, on a disk that is recorded. It must make the same calls each
   * time.
   */
  readonly workload: Workload<T>;
  /** Opens the disk again after a crash, and throws if a promise is broken. */
  readonly check: Check<T>;
}

/** A workload with its check, and how many crash states are made of it. */
export interface ExploreOptions<T> extends Explorable<T> {
  /** The seed of random choices and of garbage. Default 0. */
  readonly seed?: number;
  /** The sizes of the sectors that a torn write is made of. Default 512 and 4096. */
  readonly sectorSizes?: readonly SectorSize[];
  /**
   * How many moments of the workload are crashed, spread evenly over it, including the first and the last.
   * Default: all.
   */
  readonly maxBoundaries?: number;
  /** Most crash states that are made of one moment of the workload. Default 400. */
  readonly maxStatesPerBoundary?: number;
  /** How often a recovery is crashed in turn. Default 1. */
  readonly recoveryDepth?: number;
  /** Most crash states that are made of one moment of a recovery. Default 12. */
  readonly maxStatesPerRecoveryBoundary?: number;
  /**
   * The share of the states whose recovery is crashed in turn, from 0 to 1. The seed chooses them. Default 1.
   */
  readonly recoveryShare?: number;
  /** The exploration stops at this many violations. Default 10. */
  readonly maxViolations?: number;
  /**
   * A workload or check that takes longer is a violation. Time in which the machine does something else does
   * not count. Default 10,000.
   */
  readonly timeoutMs?: number;
  /** Called after each moment of the workload. */
  readonly onProgress?: (progress: ExplorationProgress) => void;
}

export const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Finds what a power cut can do to a store: runs the workload once, and at every moment between two operations makes
 * the states in which a crash may leave the disk, and checks each that it has not checked before. Where recovery itself
 * writes, it is crashed as well, and checked again.
 */
export async function explore<T>(options: ExploreOptions<T>): Promise<ExplorationReport> {
  const { workload, seed = 0, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const started = performance.now();
  const recording = await record(workload, seed, timeoutMs);
  const exploration = new Exploration(options, recording);
  const complete = await exploration.run();
  const { violations, states } = exploration.tally;
  return {
    seed,
    boundaries: exploration.boundaries.length,
    faultPairs: recording.faultPairs,
    states,
    violations,
    complete,
    digest: exploration.tally.digest(),
    durationMs: performance.now() - started,
  };
}

/** So many of them, at equal distances, with the first and the last. */
function spread<B>(boundaries: readonly B[], most = boundaries.length): readonly B[] {
  if (most >= boundaries.length) return boundaries;
  const step = (boundaries.length - 1) / Math.max(1, most - 1);
  return Array.from({ length: most }, (_, n) => boundaries[Math.round(n * step)]).filter(
    (each): each is B => each !== undefined,
  );
}

class Exploration<T> {
  readonly tally = new Tally();
  /** Those that are crashed. */
  readonly boundaries: readonly Boundary[];
  readonly #options: ExploreOptions<T>;
  readonly #recording: Recording<T>;
  readonly #views: Views<T>;
  readonly #random: Random;
  /** The states checked under one version of the history, by digest, with their depth inside recovery. */
  readonly #seen = new Map<number, number>();
  #seenVersion = -1;

  constructor(options: ExploreOptions<T>, recording: Recording<T>) {
    this.#options = options;
    this.#recording = recording;
    this.boundaries = spread(recording.boundaries, options.maxBoundaries);
    this.#views = new Views(recording.history);
    this.#random = new Random(options.seed ?? 0);
  }

  /** False where it gave up. */
  async run(): Promise<boolean> {
    const { boundaries } = this;
    for (const [done, boundary] of boundaries.entries()) {
      if (!(await this.#exploreBoundary(boundary, []))) return false;
      this.#options.onProgress?.({
        boundary: done + 1,
        boundaries: boundaries.length,
        states: this.tally.states,
        violations: this.tally.violations.length,
      });
      await setImmediate(); // a SimDisk answers in microtasks: without it nothing else in the process would ever run
    }
    return true;
  }

  async #exploreBoundary(boundary: Boundary, before: readonly CrashPoint[]): Promise<boolean> {
    const { sectorSizes = [512, 4096], seed = 0, maxStatesPerBoundary = 400 } = this.#options;
    const { maxStatesPerRecoveryBoundary = 12, recoveryDepth = 1, maxViolations = 10 } = this.#options;
    const { recoveryShare = 1 } = this.#options;
    const depth = before.length;
    const states = crashStates(boundary.disk.unsynced, {
      sectorSizes,
      seed,
      random: this.#random,
      limit: depth === 0 ? maxStatesPerBoundary : maxStatesPerRecoveryBoundary,
      withKill: before.every(({ state }) => state.kind === "process-killed"),
    });
    for (const state of states) {
      const isDeep = depth < recoveryDepth && (recoveryShare >= 1 || this.#random.chance(recoveryShare));
      const crashed = crashAt(boundary, state, isDeep);
      this.tally.made();
      if (!this.#isNew(boundary.version, state, crashed, depth)) continue;
      const crashes = [...before, crashPoint(boundary, state, crashed.items)];
      const inside = await this.#check(crashed, boundary.version, crashes);
      if (this.tally.violations.length >= maxViolations) return false;
      for (const next of inside) if (!(await this.#exploreBoundary(next, crashes))) return false;
    }
    return true;
  }

  /** A state that was checked inside recovery is new again where it can be crashed deeper. */
  #isNew(version: number, state: CrashState, { disk }: CrashedDisk, depth: number): boolean {
    if (version !== this.#seenVersion) this.#seen.clear();
    this.#seenVersion = version;
    // A kill leaves more than the stable state.
    const digest = disk.stateDigest(state.kind === "process-killed" ? "everything" : "stable");
    if ((this.#seen.get(digest) ?? Number.POSITIVE_INFINITY) <= depth) return false;
    this.#seen.set(digest, depth);
    this.tally.checked(state.kind, depth, `${version} ${digest} ${state.kind}\n`);
    return true;
  }

  /** Gives the moments inside recovery that are to be crashed in turn. */
  async #check(
    crashed: CrashedDisk,
    version: number,
    crashes: readonly CrashPoint[],
  ): Promise<readonly Boundary[]> {
    const { check, seed = 0, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const view = this.#views.of(version, causeOf(crashes.map(({ state }) => state)));
    const { error, failed, inside } = await runCheck(check, crashed, view, timeoutMs);
    if (!failed) return inside;
    const operations = this.#recording.operations.slice(0, crashes[0]?.boundary);
    const message = error instanceof Error ? error.message : String(error);
    this.tally.violations.push({ seed, crashes, operations, message, error });
    return [];
  }
}
