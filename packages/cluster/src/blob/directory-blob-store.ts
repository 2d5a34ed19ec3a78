import { randomBytes } from "node:crypto";
import { describe, KayaError, throwIfAborted } from "@kaya/core";
import { assertDisk, type DirEntry, type Disk, NodeDisk, parentOf } from "@kaya/io";
import { makeNameDurable } from "@kaya/wal";
import type { BlobInfo, BlobOptions, BlobRange, BlobStore } from "../blob-store.js";
import { noSuchObject } from "./blob-errors.js";
import { checkBlobName, checkBlobPrefix, checkBlobRange } from "./blob-name.js";

/** Bytes of one read. */
const STEP_BYTES = 1024 * 1024;

/** The first character of the name of a file that is being written. No object's name has this character. */
const UNFINISHED = "~";

/**
 * A blob store in a directory: each object is a file. A file is written under a temporary name, fsynced, and renamed; then its directory is
 * fsynced. So a crash or a power cut never leaves a part of an object.
 *
 * A crash may leave a temporary file, whose name begins with `~`. It is not an object. You may remove it while no process writes to the
 * store. The name of one object cannot be a directory of another one (`a` beside `a/b`).
 *
 * @param directory a path, which is created if it is absent; or a disk
 * @throws KayaError KAYA_INVALID_ARGUMENT for anything else
 */
export function directoryBlobStore(directory: string | Disk): BlobStore {
  return new DirectoryBlobStore(directory);
}

class DirectoryBlobStore implements BlobStore {
  readonly name: string;
  readonly #disk: Disk;
  /** True if this store opened the disk, and so closes it. */
  readonly #isOwn: boolean;

  constructor(directory: string | Disk) {
    this.#isOwn = typeof directory === "string";
    this.#disk = toDisk(directory);
    this.name = this.#disk.root ?? "the disk";
  }

  async put(
    name: string,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    options: BlobOptions = {},
  ): Promise<void> {
    checkBlobName(name);
    const { signal } = options;
    throwIfAborted(signal);
    const temporary = `${UNFINISHED}${process.pid}-${randomBytes(8).toString("hex")}`;
    try {
      await this.#write(temporary, content, signal);
      await this.#disk.rename(temporary, name);
    } catch (error) {
      await this.#disk.remove(temporary).catch(() => undefined); // the caller gets the first error
      throw error;
    }
    await makeNameDurable(this.#disk, name);
  }

  async get(name: string, options: BlobRange = {}): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.stream(name, options)) pieces.push(piece);
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
  }

  async *stream(name: string, options: BlobRange = {}): AsyncGenerator<Uint8Array, void> {
    checkBlobName(name);
    const { offset, length } = checkBlobRange(options);
    throwIfAborted(options.signal);
    const file = await this.#open(name);
    try {
      let left = length;
      for (let at = offset; left > 0; ) {
        throwIfAborted(options.signal);
        const buffer = new Uint8Array(Math.min(STEP_BYTES, left, Math.max(1, (await file.length()) - at)));
        const read = await file.readAt(at, buffer);
        if (read === 0) return;
        yield buffer.subarray(0, read);
        at += read;
        left -= read;
      }
    } finally {
      await file.close();
    }
  }

  async head(name: string, options: BlobOptions = {}): Promise<BlobInfo | undefined> {
    checkBlobName(name);
    throwIfAborted(options.signal);
    const entries = await this.#disk.list(parentOf(name));
    const entry = entries.find(({ path }) => path === name);
    return entry === undefined || !isObject(entry) ? undefined : { name, size: entry.length };
  }

  async *list(prefix: string, options: BlobOptions = {}): AsyncGenerator<BlobInfo, void> {
    checkBlobPrefix(prefix);
    yield* this.#walk(parentOf(prefix), prefix, options.signal);
  }

  async delete(name: string, options: BlobOptions = {}): Promise<void> {
    checkBlobName(name);
    throwIfAborted(options.signal);
    if ((await this.head(name)) === undefined) return;
    await this.#disk.remove(name);
    await this.#disk.syncDir(parentOf(name));
  }

  async close(): Promise<void> {
    if (this.#isOwn) await this.#disk.close?.();
  }

  async #write(
    path: string,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const file = await this.#disk.open(path, { create: true, exclusive: true });
    try {
      if (content instanceof Uint8Array) await file.append(content);
      else {
        for await (const piece of content) {
          throwIfAborted(signal);
          await file.append(piece);
        }
      }
      throwIfAborted(signal);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #open(name: string) {
    try {
      return await this.#disk.open(name, { readOnly: true });
    } catch (error) {
      if (KayaError.is(error, "KAYA_NOT_FOUND")) throw noSuchObject(this.name, name, error);
      throw error;
    }
  }

  async *#walk(
    directory: string,
    prefix: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<BlobInfo, void> {
    throwIfAborted(signal);
    // The order of the objects' names: a directory `a` sorts as `a/`, so `a-b` comes before `a/b`, and `a0` comes after it.
    const entries = (await this.#disk.list(directory))
      .map((entry) => ({ ...entry, key: entry.isDirectory ? `${entry.path}/` : entry.path }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const { key, path, isDirectory, length, special } of entries) {
      const isWanted = key.startsWith(prefix) || (isDirectory && prefix.startsWith(key));
      if (!isWanted) continue;
      if (isDirectory) yield* this.#walk(path, prefix, signal);
      else if (isObject({ path, isDirectory, length, ...(special && { special }) }))
        yield { name: path, size: length };
    }
  }
}

function isObject({ path, isDirectory, special }: DirEntry): boolean {
  return !isDirectory && special === undefined && !path.includes(UNFINISHED);
}

function toDisk(directory: string | Disk): Disk {
  if (typeof directory === "string" && directory.length > 0) return new NodeDisk(directory);
  if (typeof directory !== "object" || directory === null)
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `a blob store needs the path of a directory, or a disk, not ${describe(directory)}`,
    );
  assertDisk(directory);
  return directory;
}
