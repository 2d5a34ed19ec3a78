import { KayaError, readOptions } from "@kaya/core";
import {
  CREATE_OPTIONS,
  type CreateOptions,
  type DirEntry,
  type Disk,
  type DiskFile,
  type DiskLock,
  OPEN_OPTIONS,
  type OpenOptions,
} from "../disk.js";
import { parentOf, relativeFilePath, relativePath } from "../relative-path.js";
import {
  failureOf,
  happensAllTheSame,
  type MutatingKind,
  replacedFailure,
  syncOutcomeOf,
  type WriteFaultRule,
} from "./faults.js";
import type { Operations, SimDiskEvent } from "./operations.js";
import type { Session } from "./session.js";
import type { SimDirectory } from "./sim-directory.js";
import { SimFile } from "./sim-file.js";
import type { SimInode } from "./sim-inode.js";
import { type LockLeft, putNote, SimLock, type SimLocks } from "./sim-locks.js";
import {
  countNames,
  entriesOf,
  existingFile,
  findDirectory,
  findFile,
  link,
  move,
  notFound,
  unlink,
} from "./tree.js";

interface Served {
  readonly root: SimDirectory;
  readonly locks: SimLocks;
  readonly operations: Operations;
  readonly session: Session;
}

/** A simulated disk for one session, the time between two crashes: afterwards it refuses everything. */
export class SessionDisk implements Disk {
  readonly #root: SimDirectory;
  readonly #locks: SimLocks;
  readonly #operations: Operations;
  readonly #session: Session;

  constructor({ root, locks, operations, session }: Served) {
    this.#root = root;
    this.#locks = locks;
    this.#operations = operations;
    this.#session = session;
  }

  async open(path: string, given?: OpenOptions): Promise<DiskFile> {
    const name = relativeFilePath(path);
    const options = readOptions(given, OPEN_OPTIONS, "the options of open");
    this.#session.check(name);
    const creates = options.create === true;
    if (creates && this.#session.isUnhurried) await this.#session.turn(name);
    return this.#opened(name, options);
  }

  createSync(path: string, given?: CreateOptions): DiskFile {
    const name = relativeFilePath(path);
    const options = readOptions(given, CREATE_OPTIONS, "the options of createSync");
    this.#session.check(name);
    return this.#opened(name, { ...options, create: true, exclusive: true });
  }

  async list(dir: string): Promise<DirEntry[]> {
    const path = relativePath(dir);
    this.#session.check(path);
    return this.#operations.read({ kind: "list", path }, () => {
      this.#assertSame("list", path);
      return entriesOf(this.#root, path);
    });
  }

  async rename(from: string, to: string): Promise<void> {
    const path = relativeFilePath(from);
    const target = relativeFilePath(to);
    this.#session.check(path);
    if (this.#session.isUnhurried) await this.#session.turn(path);
    this.#rename(path, target);
  }

  renameSync(from: string, to: string): void {
    const path = relativeFilePath(from);
    const target = relativeFilePath(to);
    this.#session.check(path);
    this.#rename(path, target);
  }

  #rename(path: string, target: string): void {
    const event = { kind: "rename", path, target } as const;
    this.#byName(event, !this.#session.holds(parentOf(target)), () => {
      const inode = existingFile(this.#root, path);
      findFile(this.#root, target);
      if (path !== target) move(this.#root, inode, path, target);
      this.#session.hold(parentOf(target));
    });
  }

  async remove(path: string): Promise<void> {
    const name = relativeFilePath(path);
    this.#session.check(name);
    if (this.#session.isUnhurried) await this.#session.turn(name);
    this.#remove(name);
  }

  removeSync(path: string): void {
    const name = relativeFilePath(path);
    this.#session.check(name);
    this.#remove(name);
  }

  async syncDir(dir: string): Promise<void> {
    const path = relativePath(dir);
    this.#session.check(path);
    if (this.#session.isUnhurried) await this.#session.turn(path);
    this.#syncDir(path);
  }

  syncDirSync(dir: string): void {
    const path = relativePath(dir);
    this.#session.check(path);
    this.#syncDir(path);
  }

  #remove(path: string): void {
    this.#byName({ kind: "remove", path }, false, () => unlink(this.#root, path));
  }

  #syncDir(path: string): void {
    this.#operations.mutateInParts({ kind: "syncDir", path }, (planned) => {
      const fault = this.#met(planned, "syncDir", path, !this.#session.holds(path));
      const directory = findDirectory(this.#root, path);
      if (directory === undefined) throw notFound(path);
      this.#session.hold(path);
      if (fault !== undefined) {
        directory.failSync(syncOutcomeOf(fault));
        throw failureOf(fault, "syncDir", path);
      }
      directory.sync();
    });
  }

  async lock(path: string): Promise<DiskLock> {
    const name = relativeFilePath(path);
    this.#session.check(name);
    const left = this.#operations.observe({ kind: "lock", path: name }, () => {
      this.#assertSame("lock", name);
      if (findFile(this.#root, name) === undefined) this.#locks.forgetMarks(name);
      const inode = link(this.#root, name);
      this.#session.hold(parentOf(name));
      const left = this.#locks.take(name);
      putNote(inode, { ...left, cleanStart: false });
      return left;
    });
    return new SimLock(left, (leaving, remove) => {
      if (this.#session.isOver) return; // the lock ended with its holder, and may be another one's by now
      try {
        if (remove) this.#remove(name);
      } finally {
        this.#release(name, leaving);
      }
    });
  }

  #release(name: string, leaving: LockLeft): void {
    this.#operations.observe({ kind: "release", path: name }, () => {
      this.#locks.leave(name, leaving);
      const inode = findFile(this.#root, name);
      if (inode !== undefined) putNote(inode, leaving);
    });
  }

  #opened(path: string, options: OpenOptions): SimFile {
    const inode =
      options.create === true ? this.#create(path, options.exclusive === true) : this.#existing(path);
    return new SimFile({
      path,
      inode,
      links: () => countNames(this.#root, inode),
      hasName: () => findFile(this.#root, path) === inode,
      readOnly: options.readOnly === true,
      operations: this.#operations,
      session: this.#session,
    });
  }

  #existing(path: string): SimInode {
    return this.#operations.read({ kind: "open", path }, () => {
      this.#assertSame("open", path);
      return existingFile(this.#root, path);
    });
  }

  #create(path: string, exclusive: boolean): SimInode {
    return this.#byName({ kind: "open", path }, true, () => {
      if (exclusive && findFile(this.#root, path) !== undefined) throw isThere(path);
      this.#session.hold(parentOf(path));
      return link(this.#root, path);
    });
  }

  /** An operation on a name, whole or not at all. @param opens whether it needs a descriptor */
  #byName<T>(event: ByNameEvent, opens: boolean, run: () => T): T {
    return this.#operations.mutateInParts(event, (planned) => {
      const fault = this.#met(planned, event.kind, event.path, opens);
      if (fault === undefined) return run();
      if (happensAllTheSame(fault)) run();
      throw failureOf(fault, event.kind, event.path);
    });
  }

  /** The fault that remains for the operation. @throws KayaError KAYA_DIRECTORY_REPLACED; KAYA_IO where a descriptor is needed and there is none */
  #met(
    fault: WriteFaultRule | undefined,
    kind: MutatingKind,
    path: string,
    opens: boolean,
  ): WriteFaultRule | undefined {
    if (fault?.kind === "directory-replaced") this.#session.replaceDirectory();
    this.#assertSame(kind, path);
    if (fault?.kind !== "no-descriptors") return fault;
    if (!opens) return undefined;
    throw failureOf(fault, kind, path);
  }

  #assertSame(kind: string, path: string): void {
    if (this.#session.isReplaced) throw replacedFailure(kind, path);
  }
}

type ByNameEvent = SimDiskEvent & { readonly kind: "open" | "rename" | "remove" };

function isThere(path: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", `${path} is there already`);
}
