import type { DirEntry, Disk, DiskFile, DiskLock, OpenOptions } from "../disk.js";
import { relativeFilePath, relativePath } from "../relative-path.js";
import { failureOf, syncOutcomeOf } from "./faults.js";
import type { Operations } from "./operations.js";
import type { Session } from "./session.js";
import type { SimDirectory } from "./sim-directory.js";
import { SimFile } from "./sim-file.js";
import type { SimInode } from "./sim-inode.js";
import { putNote, SimLock, type SimLocks } from "./sim-locks.js";
import { entriesOf, existingFile, findDirectory, findFile, link, move, notFound, unlink } from "./tree.js";

interface Served {
  readonly root: SimDirectory;
  readonly locks: SimLocks;
  readonly operations: Operations;
  readonly session: Session;
}

/** A simulated disk as the processes between two crashes have it: once their session is over, it refuses everything. */
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

  async open(path: string, options: OpenOptions = {}): Promise<DiskFile> {
    const name = relativeFilePath(path);
    this.#session.check(name);
    const creates = options.create === true;
    if (creates && this.#session.isUnhurried) await this.#session.turn(name);
    const inode = creates ? this.#create(name) : this.#existing(name);
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
    this.#session.check(path);
    return this.#operations.read({ kind: "list", path }, () => entriesOf(this.#root, path));
  }

  async rename(from: string, to: string): Promise<void> {
    const path = relativeFilePath(from);
    const target = relativeFilePath(to);
    this.#session.check(path);
    if (this.#session.isUnhurried) await this.#session.turn(path);
    this.#operations.mutate({ kind: "rename", path, target }, () => {
      const inode = existingFile(this.#root, path);
      findFile(this.#root, target);
      if (path !== target) move(this.#root, inode, path, target);
    });
  }

  async remove(path: string): Promise<void> {
    const name = relativeFilePath(path);
    this.#session.check(name);
    if (this.#session.isUnhurried) await this.#session.turn(name);
    this.#operations.mutate({ kind: "remove", path: name }, () => unlink(this.#root, name));
  }

  async syncDir(dir: string): Promise<void> {
    const path = relativePath(dir);
    this.#session.check(path);
    if (this.#session.isUnhurried) await this.#session.turn(path);
    this.#operations.mutateInParts({ kind: "syncDir", path }, (fault) => {
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
    this.#session.check(name);
    const left = this.#operations.observe({ kind: "lock", path: name }, () => {
      if (findFile(this.#root, name) === undefined) this.#locks.forgetMarks(name);
      const inode = link(this.#root, name);
      const left = this.#locks.take(name);
      putNote(inode, { ...left, cleanStart: false });
      return left;
    });
    return new SimLock(left, (leaving) => {
      if (this.#session.isOver) return; // the lock went with its holder, and may be someone else's by now
      this.#operations.observe({ kind: "release", path: name }, () => {
        this.#locks.leave(name, leaving);
        const inode = findFile(this.#root, name);
        if (inode !== undefined) putNote(inode, leaving);
      });
    });
  }

  #existing(path: string): SimInode {
    return this.#operations.read({ kind: "open", path }, () => existingFile(this.#root, path));
  }

  #create(path: string): SimInode {
    return this.#operations.mutate({ kind: "open", path }, () => link(this.#root, path));
  }
}
