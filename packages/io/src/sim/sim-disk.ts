import { describe, KayaError } from "@kaya/core";
import type { DirEntry, Disk, DiskFile, DiskLock, OpenOptions } from "../disk.js";
import { checkOffset } from "../file-arguments.js";
import { relativeFilePath, relativePath } from "../relative-path.js";
import { type CrashItem, type CrashOptions, type CrashReport, decisionOf } from "./crash.js";
import { unsyncedItems } from "./crash-items.js";
import { crashTree } from "./crash-tree.js";
import { FaultPlan, type FaultRule, failureOf, syncOutcomeOf } from "./faults.js";
import { type OperationHook, Operations, type SimDiskEvent } from "./operations.js";
import { Random } from "./random.js";
import { Serial } from "./serial.js";
import { Session } from "./session.js";
import { SimDirectory } from "./sim-directory.js";
import { SimFile } from "./sim-file.js";
import type { SimInode } from "./sim-inode.js";
import { SimLock, SimLocks } from "./sim-locks.js";
import { digestState } from "./state-digest.js";
import { directoriesAbove, entriesOf, findDirectory, findFile, link, move, unlink } from "./tree.js";

export interface SimDiskOptions {
  /** Any whole number; the same seed and the same calls give the same disk. Default 0. */
  readonly seed?: number;
  readonly faults?: readonly FaultRule[];
  readonly onOperation?: OperationHook;
}

/**
 * A disk in memory that behaves as badly as a POSIX disk may. Bytes are volatile until the file's `sync`, names until
 * the `syncDir` of their directory; `crash` decides what is left of the rest, faults come where they were asked for.
 */
export class SimDisk implements Disk {
  readonly #seed: number;
  readonly #faults = new FaultPlan();
  readonly #operations: Operations;
  #serial = new Serial();
  #root = new SimDirectory(this.#serial);
  #locks = new SimLocks();
  #session = new Session();

  constructor(options: SimDiskOptions = {}) {
    this.#seed = checkSeed(options.seed ?? 0);
    this.#operations = new Operations(this.#faults, options.onOperation);
    for (const rule of options.faults ?? []) this.addFault(rule);
  }

  /**
   * A disk of its own in exactly this state, live, stable and unsynced, that goes on counting from here. It has no open
   * files or lock holders, as after `killProcess`, no events, and of the faults only those that are asked for. Bytes are
   * shared until one side writes.
   */
  fork(options: Omit<SimDiskOptions, "seed"> = {}): SimDisk {
    const fork = new SimDisk({ ...options, seed: this.#seed });
    fork.#serial = this.#serial.fork();
    fork.#root = this.#root.fork(fork.#serial);
    fork.#locks = this.#locks.fork();
    fork.#operations.goOnFrom(this.#operations);
    return fork;
  }

  /** Everything that reached the disk so far, in order. */
  get events(): readonly SimDiskEvent[] {
    return this.#operations.events;
  }

  /** The index that the next mutating operation will have: what `FaultRule.at` means. */
  get nextOperation(): number {
    return this.#operations.next;
  }

  /** The index that the next reading operation will have: what `FaultRule.atRead` means. */
  get nextRead(): number {
    return this.#operations.nextRead;
  }

  /** The operations whose fate a crash now would decide, in the order of their making. */
  get unsynced(): readonly CrashItem[] {
    return unsyncedItems(this.#root);
  }

  addFault(rule: FaultRule): void {
    this.#faults.add(rule);
  }

  async open(path: string, options: OpenOptions = {}): Promise<DiskFile> {
    const name = relativeFilePath(path);
    const inode = options.create === true ? this.#create(name) : this.#existing(name);
    return new SimFile({
      path: name,
      inode,
      readOnly: options.readOnly === true,
      operations: this.#operations,
      session: this.#session,
    });
  }

  async list(dir: string): Promise<DirEntry[]> {
    const path = relativePath(dir);
    return this.#operations.read({ kind: "list", path }, () => entriesOf(this.#root, path));
  }

  async rename(from: string, to: string): Promise<void> {
    const path = relativeFilePath(from);
    const target = relativeFilePath(to);
    this.#operations.mutate({ kind: "rename", path, target }, (fault) => {
      if (fault !== undefined) throw failureOf(fault, "rename", path);
      const inode = this.#find(path);
      findFile(this.#root, target);
      if (path !== target) move(this.#root, inode, path, target);
    });
  }

  async remove(path: string): Promise<void> {
    const name = relativeFilePath(path);
    this.#operations.mutate({ kind: "remove", path: name }, (fault) => {
      if (fault !== undefined) throw failureOf(fault, "remove", name);
      unlink(this.#root, name);
    });
  }

  async syncDir(dir: string): Promise<void> {
    const path = relativePath(dir);
    this.#operations.mutate({ kind: "syncDir", path }, (fault) => {
      const directory = findDirectory(this.#root, path);
      if (directory === undefined) throw notFound(path);
      if (fault !== undefined) {
        directory.failSync(syncOutcomeOf(fault));
        throw failureOf(fault, "syncDir", path);
      }
      directory.sync();
    });
  }

  async lock(path: string): Promise<DiskLock> {
    const name = relativeFilePath(path);
    const session = this.#session;
    const left = this.#operations.observe({ kind: "lock", path: name }, () => {
      link(this.#root, name);
      return this.#locks.take(name);
    });
    return new SimLock(left, (leaving) => {
      if (session.isOver) return; // the lock went with its holder, and may be someone else's by now
      this.#operations.observe({ kind: "release", path: name }, () => this.#locks.leave(name, leaving));
    });
  }

  /**
   * Cuts the power and starts the machine again: open files and locks are dead (KAYA_CLOSED), and of what was not
   * synced there is left what the options say; without options, nothing.
   */
  crash(options: CrashOptions = {}): CrashReport {
    const seed = checkSeed(options.seed ?? new Random(this.#seed, this.#operations.next).uint32());
    const random = new Random(seed);
    const decide = decisionOf(options, random);
    this.#endSession("the disk crashed", "crashed");
    return { seed, items: crashTree(this.#root, decide, random) };
  }

  /** Kills the process that uses the disk: open files and locks are dead as after a crash, but nothing is lost. */
  killProcess(): void {
    this.#endSession("its process was killed", "killed");
  }

  /** A copy of a file as reads see it, without an event; undefined where it is absent. */
  readFile(path: string): Uint8Array | undefined {
    return findFile(this.#root, relativeFilePath(path))?.liveBytes();
  }

  /** A copy of a file as a crash would leave it that takes everything unsynced; undefined where it would be absent. */
  stableFile(path: string): Uint8Array | undefined {
    return findFile(this.#root, relativeFilePath(path), "stable")?.stableBytes();
  }

  /**
   * Puts a durable file there, without an event or a fault: as if it were written and synced, and then every
   * directory on its path, with whatever else is unsynced in them.
   */
  writeFile(path: string, bytes: Uint8Array): void {
    const name = relativeFilePath(path);
    const inode = link(this.#root, name);
    inode.truncate(0);
    inode.write(0, bytes.slice());
    inode.sync();
    for (const directory of directoriesAbove(this.#root, name)) directory.sync();
  }

  /** Removes a file and syncs its directory, without an event or a fault; nothing happens where it is absent. */
  removeDurably(path: string): void {
    const name = relativeFilePath(path);
    unlink(this.#root, name);
    directoriesAbove(this.#root, name).at(-1)?.sync();
  }

  /** Cuts a file, or extends it with zeros, as `writeFile` would: durably, without an event or a fault. */
  truncateDurably(path: string, length: number): void {
    const name = relativeFilePath(path);
    checkOffset(length, "length", name);
    const inode = this.#find(name);
    inode.truncate(length);
    inode.sync();
  }

  /**
   * Makes the bytes from `from` up to `to` unreadable: KAYA_IO for every read that touches them, from now on and after
   * a crash, under whatever name, whatever is written there.
   */
  breakRange(path: string, from: number, to: number): void {
    const name = relativeFilePath(path);
    checkOffset(from, "from", name);
    checkOffset(to, "to", name);
    this.#find(name).breakRange(from, to);
  }

  /**
   * A whole number up to 2^53 that stands for what a crash would leave that takes everything unsynced: names, bytes
   * and how locks were left. After a crash that is all there is; before it, `"everything"` stands for what is unsynced
   * as well. Meant for telling states apart within one process.
   */
  stateDigest(of: "stable" | "everything" = "stable"): number {
    return digestState(this.#root, this.#locks, of === "everything");
  }

  /**
   * Bit rot: flips bit 0 … 7 of the byte at `offset`, in what reads see and in what is stable. Meant for synced
   * bytes: syncing a write over the place heals it.
   */
  flipBit(path: string, offset: number, bit: number): void {
    const name = relativeFilePath(path);
    const inode = this.#find(name);
    checkOffset(offset, "offset", name);
    if (offset >= inode.length || !(Number.isInteger(bit) && bit >= 0 && bit <= 7)) {
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        `${name} has no bit ${bit} at offset ${offset} (it is ${inode.length} bytes)`,
      );
    }
    inode.damage(offset, 1 << bit);
  }

  #existing(path: string): SimInode {
    return this.#operations.read({ kind: "open", path }, () => this.#find(path));
  }

  #create(path: string): SimInode {
    return this.#operations.mutate({ kind: "open", path }, (fault) => {
      if (fault !== undefined) throw failureOf(fault, "open", path);
      return link(this.#root, path);
    });
  }

  #find(path: string): SimInode {
    const inode = findFile(this.#root, path);
    if (inode === undefined) throw notFound(path);
    return inode;
  }

  #endSession(message: string, how: "killed" | "crashed"): void {
    this.#session.end(message);
    this.#session = new Session();
    this.#locks.dropAll(how);
  }
}

function notFound(path: string): KayaError {
  return new KayaError("KAYA_NOT_FOUND", `${path} does not exist`);
}

function checkSeed(seed: number): number {
  if (Number.isSafeInteger(seed)) return seed;
  throw new KayaError("KAYA_INVALID_ARGUMENT", `seed must be a whole number, not ${describe(seed)}`);
}
