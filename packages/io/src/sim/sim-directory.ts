import type { FailedSyncOutcome } from "./faults.js";
import type { SimInode } from "./sim-inode.js";

export type SimNode = SimInode | SimDirectory;

/** A change of a directory that is in memory and not on the disk. */
export type EntryOperation =
  | { readonly kind: "link"; readonly name: string; readonly node: SimNode }
  | { readonly kind: "unlink"; readonly name: string }
  | { readonly kind: "rename"; readonly name: string; readonly target: string; readonly node: SimNode };

/**
 * The names in one directory, live and stable, with the operations in between; the same model as `SimInode`, but
 * for one thing: a failed sync leaves names pending. They go through the file system's journal, and a journal that cannot be
 * written makes the file system read-only; it does not go on and report success. An operation is about names alone, so any
 * subset of them can be applied.
 */
export class SimDirectory {
  #live = new Map<string, SimNode>();
  readonly #stable = new Map<string, SimNode>();
  #pending: EntryOperation[] = [];

  /** What everyone sees. */
  get live(): ReadonlyMap<string, SimNode> {
    return this.#live;
  }

  /** What a crash that takes everything unsynced leaves. */
  get stable(): ReadonlyMap<string, SimNode> {
    return this.#stable;
  }

  link(name: string, node: SimNode): void {
    this.#change({ kind: "link", name, node });
  }

  unlink(name: string): void {
    this.#change({ kind: "unlink", name });
  }

  /** A rename that stays in this directory: one operation, which survives whole or not at all. */
  rename(name: string, target: string, node: SimNode): void {
    this.#change({ kind: "rename", name, target, node });
  }

  sync(): void {
    for (const operation of this.#pending) apply(operation, this.#stable);
    this.#pending = [];
  }

  failSync(outcome: FailedSyncOutcome): void {
    if (outcome === "kept") this.sync();
    if (outcome !== "lost") return;
    this.#pending = [];
    this.#live = new Map(this.#stable);
  }

  crash(survives: (operation: EntryOperation) => boolean): void {
    for (const operation of this.#pending) {
      if (survives(operation)) apply(operation, this.#stable);
    }
    this.#pending = [];
    this.#live = new Map(this.#stable);
  }

  #change(operation: EntryOperation): void {
    apply(operation, this.#live);
    this.#pending.push(operation);
  }
}

function apply(operation: EntryOperation, entries: Map<string, SimNode>): void {
  if (operation.kind === "link") {
    entries.set(operation.name, operation.node);
    return;
  }
  entries.delete(operation.name);
  if (operation.kind === "rename") entries.set(operation.target, operation.node);
}
