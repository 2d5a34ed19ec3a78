import { constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, KayaError, readOptions } from "@kaya/core";
import {
  type DirEntry,
  type Disk,
  type DiskFile,
  type DiskLock,
  OPEN_OPTIONS,
  type OpenOptions,
} from "./disk.js";
import { makeDirectories, makeDurableDirectory, syncDirectory } from "./node-directories.js";
import { errnoOf, fromSyncError, fromSystemError } from "./node-errors.js";
import { NodeFile } from "./node-file.js";
import { lockFile } from "./node-lock.js";
import { parentOf, relativeFilePath, relativePath } from "./relative-path.js";

/** A directory of the real file system. It is made, with its parents, by the first operation that creates something. */
export class NodeDisk implements Disk {
  /** The absolute path. */
  readonly root: string;
  #rootIsDurable: Promise<void> | undefined;

  /** @throws KayaError KAYA_INVALID_ARGUMENT for what is no path */
  constructor(root: string) {
    if (typeof root !== "string" || root === "" || root.includes("\0")) {
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        `a disk's root is a path, not empty and without NUL: not ${describe(root)}`,
      );
    }
    this.root = resolve(root);
  }

  async open(path: string, given?: OpenOptions): Promise<DiskFile> {
    const relative = relativeFilePath(path);
    const options = readOptions(given, OPEN_OPTIONS, "the options of open");
    const name = join(this.root, relative);
    if (options.create === true) await this.#makeParents(relative);
    const access = options.readOnly === true ? constants.O_RDONLY : constants.O_RDWR;
    try {
      const handle = await open(name, options.create === true ? access | constants.O_CREAT : access, 0o666);
      // A directory opens read-only without complaint on POSIX, and fails only when it is read.
      if (options.readOnly === true && (await isDirectory(handle))) {
        await handle.close();
        throw Object.assign(new Error(`${name} is a directory`), { code: "EISDIR" });
      }
      return new NodeFile(relative, name, handle, options.readOnly === true);
    } catch (cause) {
      throw fromSystemError(cause, "open", name);
    }
  }

  async list(dir: string): Promise<DirEntry[]> {
    const relative = relativePath(dir);
    const name = join(this.root, relative);
    try {
      const names = await readdir(name);
      const entries = await Promise.all(names.map((entry) => this.#entry(relative, entry)));
      return entries.filter((entry) => entry !== undefined).sort((a, b) => (a.path < b.path ? -1 : 1));
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return [];
      throw fromSystemError(cause, "list", name);
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const source = join(this.root, relativeFilePath(from));
    const target = relativeFilePath(to);
    try {
      if ((await lstat(source)).isDirectory())
        throw Object.assign(new Error("a directory"), { code: "EISDIR" });
      await this.#makeParents(target);
      await rename(source, join(this.root, target));
    } catch (cause) {
      throw KayaError.is(cause) ? cause : fromSystemError(cause, `rename to ${target} of`, source);
    }
  }

  async remove(path: string): Promise<void> {
    const name = join(this.root, relativeFilePath(path));
    try {
      await rm(name);
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return;
      throw fromSystemError(errnoOf(cause) === "ERR_FS_EISDIR" ? { code: "EISDIR" } : cause, "remove", name);
    }
  }

  async syncDir(dir: string): Promise<void> {
    const name = join(this.root, relativePath(dir));
    try {
      await syncDirectory(name);
    } catch (cause) {
      // Nothing was there to sync, so nothing failed to be.
      if (["ENOENT", "ENOTDIR"].includes(errnoOf(cause))) throw fromSystemError(cause, "fsync", name);
      throw fromSyncError(cause, name);
    }
  }

  async lock(path: string): Promise<DiskLock> {
    const relative = relativeFilePath(path);
    await this.#makeParents(relative);
    return lockFile(join(this.root, relative));
  }

  async #entry(dir: string, entry: string): Promise<DirEntry | undefined> {
    const path = dir === "" ? entry : `${dir}/${entry}`;
    const name = join(this.root, path);
    // A link that leads nowhere is still an entry; one that went away meanwhile is not.
    const info = await stat(name).catch(() => lstat(name).catch(ignoreAbsent));
    if (info === undefined) return undefined;
    const isDirectory = info.isDirectory();
    return { path, isDirectory, length: isDirectory ? 0 : info.size };
  }

  async #makeParents(relative: string): Promise<void> {
    this.#rootIsDurable ??= makeDurableDirectory(this.root);
    try {
      await this.#rootIsDurable;
    } catch (error) {
      this.#rootIsDurable = undefined; // to be tried again
      throw error;
    }
    const parent = parentOf(relative);
    if (parent === "") return;
    const name = join(this.root, parent);
    try {
      await makeDirectories(name);
    } catch (cause) {
      throw fromSystemError(cause, "make the directory", name);
    }
  }
}

async function isDirectory(handle: FileHandle): Promise<boolean> {
  try {
    return (await handle.stat()).isDirectory();
  } catch (cause) {
    await handle.close();
    throw cause;
  }
}

function ignoreAbsent(cause: unknown): undefined {
  if (errnoOf(cause) !== "ENOENT") throw cause;
  return undefined;
}
