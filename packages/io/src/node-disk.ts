import { closeSync, constants, fsync, fsyncSync, lstatSync, openSync, renameSync, unlinkSync } from "node:fs";
import { type FileHandle, lstat, readdir, rename, unlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, KayaError, readOptions } from "@kaya/core";
import {
  CREATE_OPTIONS,
  type CreateOptions,
  type DirEntry,
  type Disk,
  type DiskFile,
  type DiskLock,
  OPEN_OPTIONS,
  type OpenOptions,
} from "./disk.js";
import type { DirectoryIdentity } from "./file-identity.js";
import { specialOf } from "./file-kind.js";
import { HeldDirectories } from "./held-directories.js";
import { makeDirectories, makeDurableDirectory, makeDurableDirectorySync } from "./node-directories.js";
import { errnoOf, fromSyncError, fromSystemError } from "./node-errors.js";
import { type FileDescriptor, NodeFile } from "./node-file.js";
import { lockFile } from "./node-lock.js";
import { assertFile, makeFile, makeFileSync, type Opening, openFile, openOrMakeFile } from "./open-file.js";
import { OpenedFile } from "./opened-file.js";
import { forDirectory, giveTo, type Ownership, ownerOfDirectory, ownershipOfFile } from "./ownership.js";
import { parentOf, relativeFilePath, relativePath } from "./relative-path.js";
import { SyncDescriptor } from "./sync-descriptor.js";

/**
 * A directory of the real file system. It is made, with its parents, by the first operation that creates something. From the first
 * one that changes anything on it is held open, so that no other directory is taken for it (see `Disk`).
 */
export class NodeDisk implements Disk {
  /** The absolute path. */
  readonly root: string;
  readonly #directories: HeldDirectories;
  /** The root and the directories above it are on stable storage, or on their way. */
  #isRootDurable = false;
  #rootIsDurable: Promise<void> | undefined;
  /** Owner and mode of new files that replace no file. */
  #model: Ownership | undefined;
  /** Open files live as long as the disk: a lock that is held keeps its disk, and so the files that are written under it. */
  readonly #files = new Set<NodeFile>();
  /** What is under way may still use the number of a descriptor that `close` would give back. */
  readonly #underWay = new Set<Promise<unknown>>();

  /**
   * @param known what `identify` of another disk over the same path gave, of another thread for example: this disk then reads and writes
   *   only in those directories. Anything else there is KAYA_DIRECTORY_REPLACED
   * @throws KayaError KAYA_INVALID_ARGUMENT for what is no path
   */
  constructor(root: string, known?: readonly DirectoryIdentity[]) {
    if (typeof root !== "string" || root === "" || root.includes("\0")) {
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        `a disk's root is a path, not empty and without NUL: not ${describe(root)}`,
      );
    }
    this.root = resolve(root);
    this.#directories = new HeldDirectories(this.root, known);
  }

  open(path: string, options?: OpenOptions): Promise<DiskFile> {
    return this.#track(() => this.#open(path, options));
  }

  list(dir: string): Promise<DirEntry[]> {
    return this.#track(() => this.#list(dir));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#track(() => this.#rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#track(() => this.#remove(path));
  }

  syncDir(dir: string): Promise<void> {
    return this.#track(() => this.#syncDir(dir));
  }

  lock(path: string): Promise<DiskLock> {
    return this.#track(() => this.#lock(path));
  }

  createSync(path: string, given?: CreateOptions): DiskFile {
    const relative = relativeFilePath(path);
    const { like, syncsBeside = false } = readOptions(given, CREATE_OPTIONS, "the options of createSync");
    const name = join(this.root, relative);
    this.#makeParentsSync(relative);
    const opening = {
      way: this.#directories.reach(relative),
      name,
      access: constants.O_RDWR,
      doing: "create",
    };
    const fd = makeFileSync(opening, () =>
      this.#modelOf(like === undefined ? undefined : relativeFilePath(like)),
    );
    return this.#opened(relative, opening, new OpenedFile(fd), { syncsBeside });
  }

  syncDirSync(dir: string): void {
    const relative = relativePath(dir);
    const fd = this.#directories.hold(relative);
    if (fd === undefined) return;
    try {
      fsyncSync(fd);
    } catch (cause) {
      throw fromSyncError(cause, join(this.root, relative));
    }
  }

  assertSame(): void {
    this.#directories.assertSame();
  }

  /**
   * Holds directories open, the root always, and tells which ones they are: with that another disk over the same path stays in them.
   * @param dirs below the root; they must be there
   * @throws KayaError KAYA_NOT_FOUND, KAYA_INVALID_ARGUMENT, KAYA_IO, KAYA_DIRECTORY_REPLACED
   */
  identify(dirs: readonly string[] = []): DirectoryIdentity[] {
    this.#directories.holdRoot();
    for (const dir of dirs) this.#directories.hold(relativePath(dir));
    this.#directories.assertSame();
    return this.#directories.identities();
  }

  async close(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    this.#directories.close();
    this.#rootIsDurable = undefined;
    this.#isRootDurable = false;
  }

  async #open(path: string, given: OpenOptions | undefined): Promise<DiskFile> {
    const relative = relativeFilePath(path);
    const options = readOptions(given, OPEN_OPTIONS, "the options of open");
    const name = join(this.root, relative);
    const readOnly = options.readOnly === true;
    if (options.create === true) await this.#makeParents(relative);
    else if (!readOnly) this.#directories.holdRoot();
    const access = readOnly ? constants.O_RDONLY : constants.O_RDWR;
    const opening = { way: this.#directories.reach(relative), name, access, doing: "open" };
    const handle = await this.#openAs(opening, options);
    return this.#opened(relative, opening, handle, options);
  }

  #opened(
    relative: string,
    opening: Opening,
    handle: FileDescriptor,
    { readOnly = false, syncsBeside = false }: Pick<OpenOptions, "readOnly" | "syncsBeside">,
  ): NodeFile {
    const file = new NodeFile(relative, opening.name, handle, {
      readOnly,
      ...(syncsBeside && { beside: SyncDescriptor.open(opening.way, handle.fd) }),
      closed: (closed) => this.#files.delete(closed),
    });
    this.#files.add(file);
    return file;
  }

  #openAs(opening: Opening, { create, exclusive, like }: OpenOptions): Promise<FileHandle> {
    if (create !== true) return openFile(opening);
    const model = () => this.#modelOf(like === undefined ? undefined : relativeFilePath(like));
    return exclusive === true ? makeFile(opening, model) : openOrMakeFile(opening, model);
  }

  async #list(dir: string): Promise<DirEntry[]> {
    const relative = relativePath(dir);
    const way = this.#directories.reachDirectory(relative);
    try {
      const names = await readdir(way);
      const entries = await Promise.all(names.map((entry) => entryOf(relative, entry, way)));
      return entries.filter((entry) => entry !== undefined).sort((a, b) => (a.path < b.path ? -1 : 1));
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return [];
      throw fromSystemError(cause, "list", join(this.root, relative));
    }
  }

  async #rename(from: string, to: string): Promise<void> {
    const source = relativeFilePath(from);
    const target = relativeFilePath(to);
    const name = join(this.root, source);
    try {
      this.#directories.holdRoot();
      assertFile(lstatSync(this.#directories.reach(source)), name);
      await this.#makeParents(target);
      await rename(this.#directories.reach(source), this.#directories.reach(target));
    } catch (cause) {
      throw KayaError.is(cause) ? cause : fromSystemError(cause, `rename to ${target} of`, name);
    }
  }

  renameSync(from: string, to: string): void {
    const source = relativeFilePath(from);
    const target = relativeFilePath(to);
    const name = join(this.root, source);
    try {
      this.#directories.holdRoot();
      assertFile(lstatSync(this.#directories.reach(source)), name);
      this.#makeParentsSync(target);
      renameSync(this.#directories.reach(source), this.#directories.reach(target));
    } catch (cause) {
      throw KayaError.is(cause) ? cause : fromSystemError(cause, `rename to ${target} of`, name);
    }
  }

  async #remove(path: string): Promise<void> {
    const relative = relativeFilePath(path);
    try {
      await unlink(this.#removable(relative));
    } catch (cause) {
      this.#notRemoved(relative, cause);
    }
  }

  removeSync(path: string): void {
    const relative = relativeFilePath(path);
    try {
      unlinkSync(this.#removable(relative));
    } catch (cause) {
      this.#notRemoved(relative, cause);
    }
  }

  /** The path of a file to remove, for the system call. */
  #removable(relative: string): string {
    this.#directories.holdRoot();
    const way = this.#directories.reach(relative);
    const info = lstatSync(way);
    if (!info.isSymbolicLink()) assertFile(info, join(this.root, relative));
    return way;
  }

  #notRemoved(relative: string, cause: unknown): void {
    if (errnoOf(cause) === "ENOENT" || KayaError.is(cause, "KAYA_NOT_FOUND")) return;
    throw KayaError.is(cause) ? cause : fromSystemError(cause, "remove", join(this.root, relative));
  }

  async #syncDir(dir: string): Promise<void> {
    const relative = relativePath(dir);
    const fd = this.#directories.hold(relative);
    if (fd === undefined) return;
    await new Promise<void>((resolve, reject) => {
      fsync(fd, (cause) => (cause ? reject(fromSyncError(cause, join(this.root, relative))) : resolve()));
    });
  }

  async #lock(path: string): Promise<DiskLock> {
    const relative = relativeFilePath(path);
    await this.#makeParents(relative);
    const lock = await lockFile(
      join(this.root, relative),
      () => this.#directories.reach(relative),
      () => this.#ownerOfRoot(),
      () => this.#released(relative),
    );
    this.#directories.watchLock(relative, lock.identity);
    this.#model = lock.ownership;
    return lock;
  }

  /** Owner and mode of a new file: those of the file that it replaces, else of the lock's file, else the root's owner. */
  #modelOf(like: string | undefined): Ownership | undefined {
    const replaced = like === undefined ? undefined : ownershipOfFile(this.#directories.reach(like));
    if (replaced !== undefined) return replaced;
    this.#model ??= this.#ownerOfRoot();
    return this.#model;
  }

  #ownerOfRoot(): Ownership | undefined {
    return ownerOfDirectory(this.#directories.reachDirectory(""));
  }

  /** Gives a new directory to the owner of the files that will be in it. */
  #adopt(made: string): void {
    const model = this.#modelOf(undefined);
    if (model === undefined) return;
    const fd = openSync(made, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      giveTo(fd, forDirectory(model));
    } finally {
      closeSync(fd);
    }
  }

  /** Without a lock the directory is nobody's, and may become another one. */
  async #released(lock: string): Promise<void> {
    if (this.#directories.unwatchLock(lock)) await this.close();
  }

  async #makeParents(relative: string): Promise<void> {
    this.#directories.assertSame(); // a known root is never created again
    if (!this.#isRootDurable) {
      this.#rootIsDurable ??= makeDurableDirectory(this.root);
      try {
        await this.#rootIsDurable;
        this.#isRootDurable = true;
      } finally {
        this.#rootIsDurable = undefined; // if it failed, the next call tries again
      }
    }
    this.#makeParentsBelow(relative);
  }

  #makeParentsSync(relative: string): void {
    this.#directories.assertSame();
    if (!this.#isRootDurable) makeDurableDirectorySync(this.root);
    this.#isRootDurable = true;
    this.#makeParentsBelow(relative);
  }

  /** Creates something once the root is durable. */
  #makeParentsBelow(relative: string): void {
    this.#directories.holdRoot();
    const parent = parentOf(relative);
    if (parent === "") return;
    if (this.#directories.holds(parent)) return;
    const way = this.#directories.reachDirectory(parent);
    try {
      makeDirectories(way, (made) => this.#adopt(made));
    } catch (cause) {
      throw fromSystemError(cause, "make the directory", join(this.root, parent));
    }
    // Then syncing their new entries opens nothing.
    for (let dir = parent; dir !== ""; dir = parentOf(dir)) this.#directories.hold(dir);
  }

  async #track<T>(run: () => Promise<T>): Promise<T> {
    const result = run();
    this.#underWay.add(result);
    try {
      return await result;
    } finally {
      this.#underWay.delete(result);
    }
  }
}

async function entryOf(dir: string, entry: string, way: string): Promise<DirEntry | undefined> {
  const path = dir === "" ? entry : `${dir}/${entry}`;
  const info = await lstat(`${way}/${entry}`).catch(ignoreAbsent);
  if (info === undefined) return undefined; // went away meanwhile
  const isDirectory = info.isDirectory();
  if (isDirectory || info.isFile()) return { path, isDirectory, length: isDirectory ? 0 : info.size };
  return { path, isDirectory, length: 0, special: specialOf(info) };
}

function ignoreAbsent(cause: unknown): undefined {
  if (errnoOf(cause) !== "ENOENT") throw cause;
  return undefined;
}
