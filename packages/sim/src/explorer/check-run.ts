import type { CrashReportItem, SimDisk } from "@kaya/io";
import { type Boundary, BoundaryCollector, inTime } from "./boundary.js";
import { applyCrash, type CrashState } from "./crash-state.js";
import type { CrashCause, History, HistoryView } from "./history.js";

/**
 * Opens the store on a disk that crashed and throws where it breaks a promise. It calls `recovered` once the store is open
 * and before it writes anything else: up to there the explorer may crash it again. What never calls it is all recovery.
 */
export type Check<T> = (disk: SimDisk, view: HistoryView<T>, recovered: () => void) => Promise<void>;

/** A crash at a boundary, before anything ran on the crashed disk. */
export interface CrashedDisk {
  readonly disk: SimDisk;
  readonly items: readonly CrashReportItem[];
  readonly collector: BoundaryCollector;
}

export interface CheckResult {
  /** What the check threw. */
  readonly error: unknown;
  readonly failed: boolean;
  /** The moments inside recovery, if they were asked for. */
  readonly inside: readonly Boundary[];
}

export function crashAt(boundary: Boundary, state: CrashState, collectInside: boolean): CrashedDisk {
  const collector = new BoundaryCollector(boundary.version, collectInside);
  const disk = collector.fork(boundary.disk);
  const items = applyCrash(disk, state);
  return { disk, items, collector };
}

export async function runCheck<T>(
  check: Check<T>,
  { disk, collector }: CrashedDisk,
  view: HistoryView<T>,
  timeoutMs: number,
): Promise<CheckResult> {
  const result = (error: unknown, failed: boolean) => ({ error, failed, inside: collector.boundaries });
  try {
    await inTime(
      check(disk, view, () => collector.stop()),
      timeoutMs,
      "the check",
    );
    collector.stop();
    return result(undefined, false);
  } catch (error) {
    collector.stop();
    return result(error, true);
  }
}

/** Power cuts lose what was accepted; only if every end so far was a kill it must still be there. */
export function causeOf(states: readonly CrashState[]): CrashCause {
  return states.every(({ kind }) => kind === "process-killed") ? "process-kill" : "power-cut";
}

/** Views of a history, each made once. */
export class Views<T> {
  readonly #history: History<T>;
  readonly #views = new Map<string, HistoryView<T>>();

  constructor(history: History<T>) {
    this.#history = history;
  }

  of(version: number, cause: CrashCause): HistoryView<T> {
    const key = `${version} ${cause}`;
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    const view = this.#history.view(version, cause);
    this.#views.set(key, view);
    return view;
  }
}
