import { describe, KayaError, readOptions } from "@kaya/core";
import type { CreateOptions, DirEntry, Disk, DiskFile, DiskLock, OpenOptions } from "../disk.js";
import { checkOffset } from "../file-arguments.js";
import { relativeFilePath } from "../relative-path.js";
import { type CrashItem, type CrashOptions, type CrashReport, decisionOf } from "./crash.js";
import { unsyncedItems } from "./crash-items.js";
import { crashTree } from "./crash-tree.js";
import { FaultSchedule, type ScheduledFault } from "./fault-schedule.js";
import { FaultPlan, type FaultRule } from "./faults.js";
import { type OperationHook, Operations, type SimDiskEvent } from "./operations.js";
import { Random } from "./random.js";
import { Serial } from "./serial.js";
import { Session } from "./session.js";
import { SessionDisk } from "./session-disk.js";
import { SimDirectory } from "./sim-directory.js";
import { SimLocks } from "./sim-locks.js";
import { digestState } from "./state-digest.js";
import { addName, directoriesAbove, existingFile, findFile, link, unlink } from "./tree.js";

/** The seed, the faults and the hook of a simulated disk. */
export interface SimDiskOptions {
  /** Any whole number; the same seed and the same calls give the same disk. Default 0. */
  readonly seed?: number;
  /** The faults that operations meet, from the beginning on. `addFault` adds more. */
  readonly faults?: readonly FaultRule[];
  /** Called right before each mutating operation takes effect or fails. */
  readonly onOperation?: OperationHook;
  /**
   * What changes something takes effect a turn of the event loop after its call, not at the call: whatever the caller does
   * without waiting for it comes first, as on a disk that takes its time. Default false.
   */
  readonly unhurried?: boolean;
}

const SIM_DISK_OPTIONS: readonly (keyof SimDiskOptions)[] = ["seed", "faults", "onOperation", "unhurried"];

/**
 * A disk in memory that behaves as badly as a POSIX disk may. Bytes are volatile until the file's `sync`, names until
 * the `syncDir` of their directory; `crash` decides what is left of the rest, faults come where they were asked for.
 */
export class SimDisk implements Disk {
  readonly #seed: number;
  readonly #isUnhurried: boolean;
  readonly #faults = new FaultPlan();
  readonly #operations: Operations;
  #serial = new Serial();
  #root = new SimDirectory(this.#serial);
  #locks = new SimLocks();
  #session: Session;
  #disk: SessionDisk;

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  constructor(given?: SimDiskOptions) {
    const options = readOptions(given, SIM_DISK_OPTIONS, "the options of a SimDisk");
    this.#seed = checkSeed(options.seed ?? 0);
    this.#isUnhurried = options.unhurried === true;
    this.#operations = new Operations(this.#faults, options.onOperation);
    this.#session = new Session(this.#isUnhurried);
    this.#disk = this.#serve();
    for (const rule of options.faults ?? []) this.addFault(rule);
  }

  /**
   * A disk of its own in exactly this state, live, stable and unsynced, that goes on counting from here. It has no open
   * files or lock holders, as after `killProcess`, no events, and of the options only those that are given. Bytes are
   * shared until one side writes.
   */
  fork(options: Omit<SimDiskOptions, "seed"> = {}): SimDisk {
    const fork = new SimDisk({ ...options, seed: this.#seed });
    fork.#serial = this.#serial.fork();
    fork.#root = this.#root.fork(fork.#serial);
    fork.#locks = this.#locks.fork();
    fork.#operations.goOnFrom(this.#operations);
    fork.#disk = fork.#serve();
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

  /**
   * Adds a fault that a later operation meets.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT for a fault with impossible values
   */
  addFault(rule: FaultRule): void {
    this.#faults.add(rule);
  }

  /**
   * Faults that strike one after the other, each counted from the one before it. What is given says which of them struck.
   * Several schedules may be under way; an operation that one of them meets does not count for those that were added later.
   * @throws KayaError KAYA_INVALID_ARGUMENT
   */
  scheduleFaults(...faults: readonly ScheduledFault[]): FaultSchedule {
    const schedule = new FaultSchedule(faults);
    this.#faults.addSource(schedule);
    return schedule;
  }

  /**
   * This disk for one process: it dies with it. After the next `crash` or `killProcess` everything on it is KAYA_CLOSED, so
   * that code of a dead process, which may well still run in a test, changes nothing; the SimDisk itself goes on.
   */
  session(): Disk {
    return this.#disk;
  }

  open(path: string, options?: OpenOptions): Promise<DiskFile> {
    return this.#disk.open(path, options);
  }

  createSync(path: string, options?: CreateOptions): DiskFile {
    return this.#disk.createSync(path, options);
  }

  renameSync(from: string, to: string): void {
    this.#disk.renameSync(from, to);
  }

  removeSync(path: string): void {
    this.#disk.removeSync(path);
  }

  syncDirSync(dir: string): void {
    this.#disk.syncDirSync(dir);
  }

  list(dir: string): Promise<DirEntry[]> {
    return this.#disk.list(dir);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.#disk.remove(path);
  }

  syncDir(dir: string): Promise<void> {
    return this.#disk.syncDir(dir);
  }

  lock(path: string): Promise<DiskLock> {
    return this.#disk.lock(path);
  }

  /**
   * Cuts the power and starts the machine again: open files, locks and `session()` disks are dead (KAYA_CLOSED), and of what
   * was not synced there is left what the options say; without options, nothing. Code of the time before that has the
   * SimDisk itself is not stopped: give it a `session()` disk instead.
   */
  crash(options: CrashOptions = {}): CrashReport {
    const seed = checkSeed(options.seed ?? new Random(this.#seed, this.#operations.next).uint32());
    const random = new Random(seed);
    const decide = decisionOf(options, random);
    this.#endSession("the disk crashed");
    return { seed, items: crashTree(this.#root, decide, random) };
  }

  /** Kills the processes that use the disk: what is open is dead as after a crash, but nothing is lost. */
  killProcess(): void {
    this.#endSession("its process was killed");
  }

  /**
   * Gives the name of the directory to another one, while processes have it open: each of their operations that takes a path is
   * KAYA_DIRECTORY_REPLACED from now on, and files that are open go on working. The SimDisk stands for the directory that was moved:
   * after a `crash` or `killProcess` it is opened again, as under its new name.
   */
  replaceDirectory(): void {
    this.#session.replaceDirectory();
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

  /**
   * Gives a file one more name, durably, without an event or a fault: a hard link, as `cp -al` makes them. Whatever had the name
   * before has it no more.
   */
  linkDurably(path: string, name: string): void {
    const target = relativeFilePath(name);
    findFile(this.#root, target); // refuses a directory
    addName(this.#root, existingFile(this.#root, relativeFilePath(path)), target);
    for (const directory of directoriesAbove(this.#root, target)) directory.sync();
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
    const inode = existingFile(this.#root, name);
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
    existingFile(this.#root, name).breakRange(from, to);
  }

  /**
   * Bit rot: flips bit 0 … 7 of the byte at `offset`, in what reads see and in what is stable. Meant for synced
   * bytes: syncing a write over the place heals it.
   */
  flipBit(path: string, offset: number, bit: number): void {
    const name = relativeFilePath(path);
    const inode = existingFile(this.#root, name);
    checkOffset(offset, "offset", name);
    if (offset >= inode.length || !(Number.isInteger(bit) && bit >= 0 && bit <= 7)) {
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        `${name} has no bit ${bit} at offset ${offset} (it is ${inode.length} bytes)`,
      );
    }
    inode.damage(offset, 1 << bit);
  }

  /**
   * A whole number up to 2^53 that stands for what a crash would leave that takes everything unsynced: names, bytes
   * and how locks were left. After a crash that is all there is; before it, `"everything"` stands for what is unsynced
   * as well. Meant for telling states apart within one process.
   */
  stateDigest(of: "stable" | "everything" = "stable"): number {
    return digestState(this.#root, this.#locks, of === "everything");
  }

  #endSession(message: string): void {
    this.#session.end(message);
    this.#session = new Session(this.#isUnhurried);
    this.#disk = this.#serve();
    this.#locks.dropAll();
  }

  #serve(): SessionDisk {
    const [root, locks, operations, session] = [this.#root, this.#locks, this.#operations, this.#session];
    return new SessionDisk({ root, locks, operations, session });
  }
}

function checkSeed(seed: number): number {
  if (Number.isSafeInteger(seed)) return seed;
  throw new KayaError("KAYA_INVALID_ARGUMENT", `seed must be a whole number, not ${describe(seed)}`);
}
