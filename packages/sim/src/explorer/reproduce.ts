import type { SimDisk } from "@kaya/io";
import { type Boundary, record } from "./boundary.js";
import { type CheckResult, type CrashedDisk, causeOf, crashAt, runCheck, Views } from "./check-run.js";
import { DEFAULT_TIMEOUT_MS, type Explorable } from "./explore.js";
import type { HistoryView } from "./history.js";
import type { CrashPoint, CrashViolation } from "./violation.js";

/** A violation, made again. */
export interface Reproduction<T> {
  /** As the last crash left it: nothing ran on it. */
  readonly disk: SimDisk;
  /** What was attempted and acknowledged before the crash. */
  readonly view: HistoryView<T>;
  /** True if the check threw. */
  readonly failed: boolean;
  /** The error that the check threw; undefined if it did not. */
  readonly error: unknown;
}

/** Runs exactly the state of a violation again, of this or another process. */
export async function reproduce<T>(
  { workload, check }: Explorable<T>,
  { seed, crashes }: Pick<CrashViolation, "seed" | "crashes">,
): Promise<Reproduction<T>> {
  const recording = await record(workload, seed, DEFAULT_TIMEOUT_MS);
  const views = new Views(recording.history);
  let boundaries: readonly Boundary[] = recording.boundaries;
  let last: { crashed: CrashedDisk; view: HistoryView<T>; result: CheckResult } | undefined;
  for (const [depth, point] of crashes.entries()) {
    const boundary = boundaryOf(boundaries, point);
    const crashed = crashAt(boundary, point.state, true);
    const cause = causeOf(crashes.slice(0, depth + 1).map(({ state }) => state));
    const view = views.of(boundary.version, cause);
    const pristine = { ...crashed, disk: crashed.disk.fork() };
    const result = await runCheck(check, crashed, view, DEFAULT_TIMEOUT_MS);
    last = { crashed: pristine, view, result };
    boundaries = result.inside;
  }
  if (last === undefined) throw new Error("a violation has at least one crash");
  const { crashed, view, result } = last;
  return { disk: crashed.disk, view, failed: result.failed, error: result.error };
}

function boundaryOf(boundaries: readonly Boundary[], { boundary }: CrashPoint): Boundary {
  const found = boundaries.find(({ index }) => index === boundary);
  if (found !== undefined) return found;
  throw new Error(
    `there is no operation ${boundary}, only ${boundaries.at(-1)?.index ?? 0}: is the workload the one that was explored?`,
  );
}
