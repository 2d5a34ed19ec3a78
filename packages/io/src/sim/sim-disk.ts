import { describe, KayaError } from "@kaya/core";
import type { DirEntry, Disk, DiskFile, DiskLock, OpenOptions } from "../disk.js";
import { checkOffset } from "../file-arguments.js";
import { relativeFilePath, relativePath } from "../relative-path.js";
import { type CrashOptions, type CrashReport, decisionOf } from "./crash.js";
import { crashTree } from "./crash-tree.js";
import { FaultPlan, type FaultRule, failureOf, syncOutcomeOf } from "./faults.js";
import { Operations, type SimDiskEvent } from "./operations.js";
import { Random } from "./random.js";
import { Session } from "./session.js";
import { SimDirectory } from "./sim-directory.js";
import { SimFile } from "./sim-file.js";
import { SimInode } from "./sim-inode.js";
import { SimLock, SimLocks } from "./sim-locks.js";
import { directoriesAbove, findDirectory, findFile, makeParent, nameOf } from "./tree.js";

export interface SimDiskOptions {
  /** Any whole number; the same seed and the same calls give the same disk. Default 0. */
  readonly seed?: number;
  readonly faults?: readonly FaultRule[];
}

/**
 * A disk in memory that behaves as badly as a POSIX disk may. Bytes are volatile until the file's `sync`, names until
 * the `syncDir` of their directory; `crash` decides what is left of the rest, faults come where they were asked for.
 */
export class SimDisk implements Disk {
  readonly #seed: number;
  readonly #root = new SimDirectory();
  readonly #locks = new SimLocks();
  readonly #faults = new FaultPlan();
  readonly #operations = new Operations(this.#faults);
  #session = new Session();

  constructor(options: SimDiskOptions = {}) {
    this.#seed = checkSeed(options.seed ?? 0);
    for (const rule of options.faults ?? []) this.addFault(rule);
  }

  /** Everything that reached the disk so far, in order. */
  get events(): readonly SimDiskEvent[] {
    return this.#operations.events;
  }

  /** The index that the next mutating operation will have: what `FaultRule.at` means. */
  get nextOperation(): number {
    return this.#operations.next;
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
    return this.#operations.observe({ kind: "list", path }, () => {
      const entries = [...(findDirectory(this.#root, path)?.live ?? [])].map(([name, node]) => ({
        path: path === "" ? name : `${path}/${name}`,
        isDirectory: node instanceof SimDirectory,
        length: node instanceof SimInode ? node.length : 0,
      }));
      return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
    });
  }

  async rename(from: string, to: string): Promise<void> {
    const path = relativeFilePath(from);
    const target = relativeFilePath(to);
    this.#operations.mutate({ kind: "rename", path, target }, (fault) => {
      if (fault !== undefined) throw failureOf(fault, "rename", path);
      const inode = this.#find(path);
      findFile(this.#root, target);
      if (path !== target) this.#move(inode, path, target);
    });
  }

  async remove(path: string): Promise<void> {
    const name = relativeFilePath(path);
    this.#operations.mutate({ kind: "remove", path: name }, (fault) => {
      if (fault !== undefined) throw failureOf(fault, "remove", name);
      this.#unlink(name);
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
    const cleanStart = this.#operations.observe({ kind: "lock", path: name }, () => {
      this.#link(name);
      return this.#locks.take(name);
    });
    return new SimLock(cleanStart, (clean) => {
      if (session.isOver) return; // the lock went with its holder, and may be someone else's by now
      this.#operations.observe({ kind: "release", path: name }, () => this.#locks.leave(name, clean));
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
    const inode = this.#link(name);
    inode.truncate(0);
    inode.write(0, bytes.slice());
    inode.sync();
    for (const directory of directoriesAbove(this.#root, name)) directory.sync();
  }

  /** Removes a file and syncs its directory, without an event or a fault; nothing happens where it is absent. */
  removeDurably(path: string): void {
    const name = relativeFilePath(path);
    this.#unlink(name);
    directoriesAbove(this.#root, name).at(-1)?.sync();
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
    return this.#operations.observe({ kind: "open", path }, () => this.#find(path));
  }

  #create(path: string): SimInode {
    return this.#operations.mutate({ kind: "open", path }, (fault) => {
      if (fault !== undefined) throw failureOf(fault, "open", path);
      return this.#link(path);
    });
  }

  #find(path: string): SimInode {
    const inode = findFile(this.#root, path);
    if (inode === undefined) throw notFound(path);
    return inode;
  }

  /** The file at `path`, made where it is absent. */
  #link(path: string): SimInode {
    const found = findFile(this.#root, path);
    if (found !== undefined) return found;
    const inode = new SimInode();
    makeParent(this.#root, path).link(nameOf(path), inode);
    return inode;
  }

  #unlink(path: string): void {
    if (findFile(this.#root, path) !== undefined) makeParent(this.#root, path).unlink(nameOf(path));
  }

  #move(inode: SimInode, path: string, target: string): void {
    const source = makeParent(this.#root, path);
    const destination = makeParent(this.#root, target);
    if (source === destination) {
      source.rename(nameOf(path), nameOf(target), inode);
    } else {
      destination.link(nameOf(target), inode);
      source.unlink(nameOf(path));
    }
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
