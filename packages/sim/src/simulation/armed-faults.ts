import type { FaultRule, MutatingKind } from "@kaya/io";
import type { FaultKind, PlannedFault, WaitingFault } from "./steps.js";

/** The operations that a failing read can meet; `open` where it creates nothing. */
export type ReadingKind = "open" | "list" | "length" | "readAt";

/** A fault that met an operation. */
export interface Strike {
  readonly fault: PlannedFault;
  readonly operation: MutatingKind | ReadingKind;
  readonly path: string;
}

interface Armed {
  readonly fault: PlannedFault;
  /** Armed when this one has struck for the first time. */
  next: WaitingFault | undefined;
  /** It was armed when another one struck. */
  readonly isSecond: boolean;
  /** Operations it could meet that are still to be let through. */
  wait: number;
  /** Operations it will meet then. */
  left: number;
}

/** The faults that wait for their operation, and those that met it. They outlive the process: recovery meets them too. */
export class ArmedFaults {
  /** Those that met the data directory. */
  readonly strikes: Strike[] = [];
  /** Those that met other disks: the targets of backups, and other readers of the directory. */
  readonly strikesBeside: Strike[] = [];
  #armed: Armed[] = [];
  #isCalm = false;
  #pairs = 0;

  /** Second faults of pairs that struck. */
  get pairs(): number {
    return this.#pairs;
  }

  /** @param next another fault, which begins to wait when this one has struck */
  arm(fault: WaitingFault, next?: WaitingFault): void {
    this.#add(fault, next, false);
  }

  /** No fault meets this: it reads for the model, not for the engine. It must not wait. */
  calmly<T>(look: () => T): T {
    this.#isCalm = true;
    try {
      return look();
    } finally {
      this.#isCalm = false;
    }
  }

  /** The rule that the disk needs for the operation with this index, which is about to begin. */
  nextRule(at: number, operation: MutatingKind, path: string, strikes: Strike[]): FaultRule | undefined {
    const fault = this.#next((kind) => fits(kind, operation));
    if (fault === undefined || fault.kind === "read-error") return undefined;
    strikes.push({ fault, operation, path });
    return ruleOf(fault, at);
  }

  /** The same for an operation that reads. */
  nextReadRule(
    atRead: number,
    operation: ReadingKind,
    path: string,
    strikes: Strike[],
  ): FaultRule | undefined {
    const fault = this.#next((kind) => fitsRead(kind, operation));
    if (fault?.kind !== "read-error" && fault?.kind !== "no-descriptors") return undefined;
    strikes.push({ fault, operation, path });
    return { atRead, kind: fault.kind };
  }

  countByKind(): Record<FaultKind, number> {
    const counts = {
      "fsync-failed": 0,
      "io-error": 0,
      "disk-full": 0,
      "partial-write": 0,
      "read-error": 0,
      "no-descriptors": 0,
    };
    for (const { fault } of [...this.strikes, ...this.strikesBeside]) counts[fault.kind]++;
    return counts;
  }

  #add(fault: WaitingFault, next: WaitingFault | undefined, isSecond: boolean): void {
    const left = "times" in fault ? fault.times : 1;
    this.#armed.push({ fault, next, isSecond, wait: fault.after, left });
  }

  #next(isMet: (kind: FaultKind) => boolean): PlannedFault | undefined {
    if (this.#isCalm) return undefined;
    let due: Armed | undefined;
    for (const armed of this.#armed) {
      if (!isMet(armed.fault.kind)) continue;
      if (armed.wait > 0) armed.wait--;
      else due ??= armed;
    }
    if (due === undefined) return undefined;
    this.#struck(due);
    return due.fault;
  }

  #struck(due: Armed): void {
    due.left--;
    if (due.left === 0) this.#armed = this.#armed.filter((armed) => armed !== due);
    if (due.isSecond && due.left === 0) this.#pairs++;
    if (due.next !== undefined) this.#add(due.next, undefined, true);
    due.next = undefined;
  }
}

export function describeStrikes(strikes: readonly Strike[]): string {
  if (strikes.length === 0) return "no fault";
  return strikes.map(({ fault, operation, path }) => `${fault.kind} at ${operation} ${path}`).join(", ");
}

/** Whether the page cache itself lost something: the only fault that takes acknowledged relaxed writes without a crash. */
export function lostCache({ fault, operation, path }: Strike): boolean {
  return isSync(operation) && !isBesideTheLog(path) && "outcome" in fault && fault.outcome === "lost";
}

/** Whether a removal or rename is undone at once. */
export function takesNamesBack({ fault, operation }: Strike): boolean {
  return operation === "syncDir" && "outcome" in fault && fault.outcome === "lost";
}

/** Whether a writer that met it must not go on (W4), or may not be able to (an undo that fails). */
export function isSync(operation: Strike["operation"]): boolean {
  return operation === "sync" || operation === "syncDir";
}

/** The file does not count before its name is durable: whatever fails, the log has everything. */
export function isBesideTheLog(path: string): boolean {
  return isOfTables(path) || BESIDE.includes(path);
}

/** A failed flush changes nothing, and the log stays: a failure here is never the log's. */
export function isOfTables(path: string): boolean {
  return TABLES.some((dir) => path === dir || path.startsWith(`${dir}/`));
}

/** Whether bytes of a table could not be read. */
export function isReadOfTable({ operation, path }: Strike): boolean {
  return operation === "readAt" && path.startsWith("sst/");
}

const TABLES = ["manifest", "sst"];
const BESIDE = ["wal/log-id.tmp", "consumers.tmp"];

function fits(kind: FaultKind, operation: MutatingKind): boolean {
  if (kind === "read-error") return false;
  if (kind === "io-error") return true;
  if (kind === "fsync-failed") return isSync(operation);
  if (kind === "no-descriptors") return operation === "open"; // directories that are synced are held open
  return operation === "append" || operation === "writeAt" || operation === "open";
}

function fitsRead(kind: FaultKind, operation: ReadingKind): boolean {
  if (kind === "no-descriptors") return operation === "open" || operation === "list";
  return kind === "read-error";
}

function ruleOf(fault: Exclude<PlannedFault, { readonly kind: "read-error" }>, at: number): FaultRule {
  if (fault.kind === "partial-write") return { at, kind: fault.kind, bytes: fault.bytes };
  return "times" in fault ? { at, kind: fault.kind } : { at, kind: fault.kind, outcome: fault.outcome };
}
