import type { CrashItem, CrashOutcome, CrashReportItem, SimDisk } from "@kaya/io";

/**
 * One way in which things can end, at a given moment.
 *
 * - `process-killed`: the process is gone, the machine goes on; nothing is lost, but nothing became durable either.
 * - the others: the power is cut. `rest` is what becomes of the unsynced operations, but for those in `except`, by their
 *   `CrashItem.id`. With `random` everything comes from `seed`.
 */
export type CrashState =
  | { readonly kind: "process-killed" }
  | { readonly kind: "random"; readonly seed: number }
  | {
      readonly kind: SystematicKind;
      readonly seed: number;
      readonly rest: "kept" | "lost";
      readonly except: readonly (readonly [id: number, outcome: CrashOutcome])[];
    };

/**
 * - `names-only`: names kept, bytes lost; `data-only`: the reverse. `length-only`: names and file lengths kept, bytes lost.
 * - `one-lost`, `one-kept`: a single operation against all the others. `subset`: any of them.
 * - `torn`: one write torn, all others kept or all lost.
 */
export type SystematicKind =
  | "all-lost"
  | "all-kept"
  | "names-only"
  | "data-only"
  | "length-only"
  | "one-lost"
  | "one-kept"
  | "torn"
  | "subset";

/** The kind of a crash state: which of the unsynced operations it keeps. */
export type CrashKind = CrashState["kind"];

/** Ends `disk` in this way. Gives the outcome of each unsynced operation. */
export function applyCrash(disk: SimDisk, state: CrashState): readonly CrashReportItem[] {
  if (state.kind === "process-killed") {
    disk.killProcess();
    return [];
  }
  if (state.kind === "random") return disk.crash({ survive: "random", seed: state.seed }).items;
  const { seed, rest } = state;
  const except = new Map(state.except);
  return disk.crash({ seed, decide: (item) => except.get(item.id) ?? rest }).items;
}

/** Names, not bytes. */
export function isName(item: CrashItem): boolean {
  return item.kind === "link" || item.kind === "unlink" || item.kind === "rename";
}
