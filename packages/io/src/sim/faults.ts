import { describe, KayaError } from "@kaya/core";

/**
 * What becomes of the unsynced operations when their sync fails.
 *
 * - `readable-until-crash`: bytes read back, later syncs succeed, a crash takes them away. What Linux does, and so the
 *   default. Names stay unsynced, and a later syncDir that succeeds makes them durable.
 * - `kept`: they reached the disk all the same.
 * - `lost`: they are gone at once; reads see the last synced state.
 */
export type FailedSyncOutcome = "readable-until-crash" | "kept" | "lost";

/**
 * A failure of the mutating operation number `at` (from 0: `SimDisk.nextOperation`), or of the reading operation
 * number `atRead` (from 0: `SimDisk.nextRead`). A rule does nothing where its kind does not fit the operation that
 * comes there.
 *
 * - `fsync-failed` (sync, syncDir): KAYA_FSYNC_FAILED; `outcome` says what is left.
 * - `io-error` (all): KAYA_IO with nothing changed, or with `outcome` `"kept"` everything: it was done all the same, and
 *   only the answer is wrong. On sync and syncDir the same as `fsync-failed`.
 * - `disk-full` (append, writeAt, creating open): KAYA_DISK_FULL with nothing changed.
 * - `partial-write` (append, writeAt): the first `bytes` bytes are written, then KAYA_DISK_FULL. On a creating open
 *   the same as `disk-full`.
 * - `no-descriptors` (open, rename to a directory and syncDir of a directory that is not held open, list): KAYA_IO with nothing
 *   changed: the process has as many files open as it may. No fsync was tried. A moment of it is several rules in a row.
 * - `directory-replaced` (open, rename, remove, syncDir): another directory has the disk's name from now on:
 *   `SimDisk.replaceDirectory`.
 * - `read-error` (readAt, list, length, open without `create`): KAYA_IO.
 */
export type FaultRule = WriteFaultRule | ReadFaultRule;

/** A failure of a reading operation. */
export interface ReadFaultRule {
  readonly atRead: number;
  readonly kind: "read-error" | "no-descriptors";
}

/** A failure of a mutating operation. */
export type WriteFaultRule =
  | {
      readonly at: number;
      readonly kind: "fsync-failed" | "io-error" | "disk-full" | "no-descriptors" | "directory-replaced";
      readonly outcome?: FailedSyncOutcome;
    }
  | { readonly at: number; readonly kind: "partial-write"; readonly bytes: number };

/** A fault without its place. */
export type Fault = WriteFault | { readonly kind: "read-error" };

/** A failure of a mutating operation, without its place. */
export type WriteFault = Unplaced<WriteFaultRule>;

type Unplaced<R> = R extends { readonly at: number } ? Omit<R, "at"> : never;

/** The operations that change something, by method name; `open` only where it may create. */
export type MutatingKind =
  | "open"
  | "append"
  | "writeAt"
  | "truncate"
  | "sync"
  | "rename"
  | "remove"
  | "syncDir";

/** The operations that only give something back, by method name; `open` where it creates nothing. */
export type ReadingKind = "open" | "list" | "length" | "readAt";

const SYNCING: readonly MutatingKind[] = ["sync", "syncDir"];
const FILLING: readonly MutatingKind[] = ["append", "writeAt", "open"];
const OPENING: readonly MutatingKind[] = ["open", "rename", "syncDir"];
const BY_NAME: readonly MutatingKind[] = ["open", "rename", "remove", "syncDir"];
const READING_BY_NAME: readonly string[] = ["open", "list"];
const FITTING: Record<WriteFaultRule["kind"], readonly MutatingKind[] | "all"> = {
  "fsync-failed": SYNCING,
  "io-error": "all",
  "disk-full": FILLING,
  "partial-write": FILLING,
  "no-descriptors": OPENING,
  "directory-replaced": BY_NAME,
};

/** Whether a fault can meet an operation of that kind. */
export function fits({ kind }: Fault, operation: MutatingKind): boolean {
  if (kind === "read-error") return false;
  const fitting = FITTING[kind];
  return fitting === "all" || fitting.includes(operation);
}

/** A source of faults, asked before each operation. */
export interface FaultSource {
  /** The rule for the next mutating operation. */
  meet(index: number, kind: MutatingKind, path: string): WriteFaultRule | undefined;
  /** Whether the next reading operation fails. */
  meetRead(index: number, kind: ReadingKind, path: string): boolean;
}

/** The rules of a disk: those by operation number, and scheduled ones. */
export class FaultPlan {
  readonly #rules = new Map<number, WriteFaultRule[]>();
  readonly #failingReads = new Map<number, ReadFaultRule[]>();
  readonly #sources: FaultSource[] = [];

  add(rule: FaultRule): void {
    checkRule(rule);
    if ("atRead" in rule) push(this.#failingReads, rule.atRead, { ...rule });
    else push(this.#rules, rule.at, { ...rule });
  }

  addSource(source: FaultSource): void {
    this.#sources.push(source);
  }

  /** The first rule that fits; those with a number come before scheduled ones. */
  find(index: number, kind: MutatingKind, path: string): WriteFaultRule | undefined {
    const rule = this.#rules.get(index)?.find((each) => fits(each, kind));
    if (rule !== undefined) return rule;
    for (const source of this.#sources) {
      const met = source.meet(index, kind, path);
      if (met !== undefined) return met;
    }
    return undefined;
  }

  /** The kind of the fault that meets a reading operation; undefined for none. */
  findRead(index: number, kind: ReadingKind, path: string): ReadFaultRule["kind"] | undefined {
    const rule = this.#failingReads
      .get(index)
      ?.find((each) => each.kind === "read-error" || READING_BY_NAME.includes(kind));
    if (rule !== undefined) return rule.kind;
    return this.#sources.some((source) => source.meetRead(index, kind, path)) ? "read-error" : undefined;
  }
}

function push<T>(rules: Map<number, T[]>, index: number, rule: T): void {
  const others = rules.get(index);
  if (others === undefined) rules.set(index, [rule]);
  else others.push(rule);
}

/** The rejection that a rule causes. */
export function failureOf(rule: WriteFaultRule, kind: MutatingKind, path: string): KayaError {
  const what = `${kind} ${nameable(path)} failed by a simulated fault at operation ${rule.at}`;
  if (rule.kind === "no-descriptors") return new KayaError("KAYA_IO", `${what}: too many open files.`);
  if (SYNCING.includes(kind)) {
    return new KayaError("KAYA_FSYNC_FAILED", `${what}. What was not synced before may be lost.`);
  }
  if (rule.kind === "io-error") return new KayaError("KAYA_IO", `${what}: I/O error.`);
  return new KayaError("KAYA_DISK_FULL", `${what}: no space left.`);
}

/** The rejection of every operation by name once another directory has the name. */
export function replacedFailure(kind: string, path: string): KayaError {
  return new KayaError(
    "KAYA_DIRECTORY_REPLACED",
    `${kind} ${nameable(path)}: another directory has the name of the one that was opened, by a simulated fault`,
  );
}

/** The rejection of a reading operation that meets a fault. */
export function readFailureOf(kind: string, path: string, why: string): KayaError {
  return new KayaError("KAYA_IO", `${kind} ${nameable(path)} failed by a simulated fault: ${why}`);
}

/** Whether an operation that meets this rule takes effect although it fails. Of syncs see `syncOutcomeOf`. */
export function happensAllTheSame(rule: WriteFaultRule): boolean {
  return rule.kind === "io-error" && rule.outcome === "kept";
}

/** What a failed sync leaves of the unsynced operations. */
export function syncOutcomeOf(rule: WriteFaultRule): FailedSyncOutcome {
  return ("outcome" in rule ? rule.outcome : undefined) ?? "readable-until-crash";
}

function nameable(path: string): string {
  return path === "" ? "(root)" : path;
}

function checkRule(rule: FaultRule): void {
  if ("atRead" in rule) {
    if (rule.kind !== "read-error" && rule.kind !== "no-descriptors")
      throw unknownKind(rule, ["read-error", "no-descriptors"]);
    checkCount(rule.atRead, "atRead");
    return;
  }
  checkFault(rule);
  checkCount(rule.at, "at");
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function checkFault(fault: Fault): void {
  if (fault.kind === "read-error") return;
  if (!(fault.kind in FITTING)) throw unknownKind(fault, [...Object.keys(FITTING), "read-error"]);
  if (fault.kind === "partial-write") checkCount(fault.bytes, "bytes");
}

function unknownKind({ kind }: { readonly kind: unknown }, known: readonly string[]): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", `fault: kind ${describe(kind)} is not one of ${known}`);
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function checkCount(value: number, what: string): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `fault: ${what} must be a whole number >= 0, not ${describe(value)}`,
  );
}
