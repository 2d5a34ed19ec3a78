import type { FailedSyncOutcome } from "./faults.js";
import type { Serial } from "./serial.js";
import { SimInode } from "./sim-inode.js";

export type SimNode = SimInode | SimDirectory;

/** A change of a directory that is not on the disk yet. */
export type EntryOperation = { readonly id: number } & EntryChange;

type EntryChange =
  | { readonly kind: "link"; readonly name: string; readonly node: SimNode }
  | { readonly kind: "unlink"; readonly name: string }
  | { readonly kind: "rename"; readonly name: string; readonly target: string; readonly node: SimNode };

/**
 * The names in one directory, live and stable, with the operations in between; the same model as `SimInode`, with one difference: a failed
 * sync leaves names pending. They go through the file system's journal, and a journal that cannot be
 * written makes the file system read-only; it does not go on and report success. An operation is about names alone, so any
 * subset of them can be applied.
 */
export class SimDirectory {
  readonly #serial: Serial;
  #live = new Map<string, SimNode>();
  readonly #stable = new Map<string, SimNode>();
  #pending: EntryOperation[] = [];

  constructor(serial: Serial) {
    this.#serial = serial;
  }

  /** The same directory, with everything below it, on a fork of the disk, whose serial this is. */
  fork(serial: Serial): SimDirectory {
    return new TreeFork(serial).directory(this);
  }

  /** A file of this directory's disk, still without a name. */
  makeFile(): SimInode {
    return new SimInode(this.#serial);
  }

  makeDirectory(): SimDirectory {
    return new SimDirectory(this.#serial);
  }

  /** The visible names. */
  get live(): ReadonlyMap<string, SimNode> {
    return this.#live;
  }

  /** The names that are left by a crash that loses everything unsynced. */
  get stable(): ReadonlyMap<string, SimNode> {
    return this.#stable;
  }

  /** The operations that a sync would bring to the disk. */
  get pending(): readonly EntryOperation[] {
    return this.#pending;
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

  /** Fills this empty directory with another one's content; `fork` copies each node. */
  fill(from: SimDirectory, fork: (node: SimNode) => SimNode): void {
    for (const [name, node] of from.#live) this.#live.set(name, fork(node));
    for (const [name, node] of from.#stable) this.#stable.set(name, fork(node));
    this.#pending = from.#pending.map((operation) =>
      operation.kind === "unlink" ? operation : { ...operation, node: fork(operation.node) },
    );
  }

  #change(change: EntryChange): void {
    apply(change, this.#live);
    this.#pending.push({ ...change, id: this.#serial.next() });
  }
}

/** Copies each node once, however many names lead to it. */
class TreeFork {
  readonly #serial: Serial;
  readonly #copies = new Map<SimNode, SimNode>();

  constructor(serial: Serial) {
    this.#serial = serial;
  }

  directory(original: SimDirectory): SimDirectory {
    const copy = new SimDirectory(this.#serial);
    this.#copies.set(original, copy);
    copy.fill(original, (node) => this.#node(node));
    return copy;
  }

  #node(original: SimNode): SimNode {
    const known = this.#copies.get(original);
    if (known !== undefined) return known;
    if (original instanceof SimDirectory) return this.directory(original);
    const copy = original.fork(this.#serial);
    this.#copies.set(original, copy);
    return copy;
  }
}

function apply(operation: EntryChange, entries: Map<string, SimNode>): void {
  if (operation.kind === "link") {
    entries.set(operation.name, operation.node);
    return;
  }
  entries.delete(operation.name);
  if (operation.kind === "rename") entries.set(operation.target, operation.node);
}
