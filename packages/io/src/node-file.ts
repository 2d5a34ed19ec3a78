import {
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  read,
  readSync,
  type Stats,
  writeSync,
  writev,
  writevSync,
} from "node:fs";
import { KayaError } from "@kaya/core";
import type { DiskFile } from "./disk.js";
import { busy, checkBytes, checkOffset, checkParts } from "./file-arguments.js";
import { errnoOf, fromSyncError, fromSystemError } from "./node-errors.js";
import type { SyncDescriptor } from "./sync-descriptor.js";
import { beginTurn, hasTimeLeft, markWritten, wroteLast } from "./write-turn.js";

// A system call moves less than 2^31 bytes at a time.
const MAX_TRANSFER_BYTES = 2 ** 30;

// Up to here a write into the page cache is faster than the way through the thread pool (docs/performance-notes.md).
const SYNCHRONOUS_BYTES = 64 * 1024;

/** Buffer for the last byte of a file and the one behind it, to find the file's end. Its bytes are not used. */
const AROUND_END = new Uint8Array(2);

const NO_SUCH_NAME: readonly string[] = ["ENOENT", "ENOTDIR"];

/** The part of a `FileHandle` that it needs. */
export interface FileDescriptor {
  readonly fd: number;
  stat(): Promise<Stats>;
  truncate(length: number): Promise<void>;
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  close(): Promise<void>;
}

interface NodeFileOptions {
  readonly readOnly: boolean;
  /** For a synchronous fsync while another one is under way. */
  readonly beside?: SyncDescriptor | undefined;
  /** Called once the file is closed. */
  readonly closed?: (file: NodeFile) => void;
}

/** A file of the real disk. The handle stays open, so nothing that happens to the name changes what is written to. */
export class NodeFile implements DiskFile {
  readonly path: string;
  readonly #handle: FileDescriptor;
  readonly #name: string;
  readonly #readOnly: boolean;
  /** Reads that are under way. */
  #reads = 0;
  /** Called once there is none: `close` waits. */
  #readsEnded: (() => void) | undefined;
  #lastMutation: Promise<unknown> = Promise.resolve();
  /** Mutations that are queued or under way, and the syncs among them. */
  #mutations = 0;
  #syncs = 0;
  /** Failure of the first failed sync: no synchronous one succeeds any more. */
  #syncFailure: KayaError | undefined;
  readonly #beside: SyncDescriptor | undefined;
  /** End of the file behind the last synchronous write. */
  #lastEnd = 0;
  #closing: Promise<void> | undefined;

  readonly #closed: ((file: NodeFile) => void) | undefined;

  constructor(path: string, name: string, handle: FileDescriptor, options: NodeFileOptions) {
    this.path = path;
    this.#name = name;
    this.#handle = handle;
    this.#readOnly = options.readOnly;
    this.#beside = options.beside;
    this.#closed = options.closed;
  }

  get syncsBeside(): boolean {
    return this.#beside !== undefined;
  }

  async length(): Promise<number> {
    return (await this.#stat()).size;
  }

  async links(): Promise<number> {
    return (await this.#stat()).nlink;
  }

  hasNameSync(): boolean {
    this.#assertOpen();
    const own = this.#statSync();
    try {
      const { dev, ino } = lstatSync(this.#name);
      return dev === own.dev && ino === own.ino;
    } catch (cause) {
      if (NO_SUCH_NAME.includes(errnoOf(cause))) return false;
      throw fromSystemError(cause, "stat", this.#name);
    }
  }

  readAt(position: number, into: Uint8Array): Promise<number> {
    // One promise in all: most gets of a store larger than memory come here.
    return new Promise((resolve, reject) => {
      this.#assertOpen();
      checkOffset(position, "position", this.#name);
      checkBytes(into, this.#name);
      this.#reads++;
      readAll(this.#handle.fd, position, into, 0, (error, done) => {
        this.#readEnded();
        if (error === undefined) resolve(done);
        else reject(fromSystemError(error, `read at offset ${position + done} of`, this.#name));
      });
    });
  }

  readAtSync(position: number, into: Uint8Array): number {
    this.#assertOpen();
    checkOffset(position, "position", this.#name);
    checkBytes(into, this.#name);
    let done = 0;
    try {
      while (done < into.length) {
        const length = Math.min(into.length - done, MAX_TRANSFER_BYTES);
        const bytesRead = readSync(this.#handle.fd, into, done, length, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
    } catch (cause) {
      throw fromSystemError(cause, `read at offset ${position + done} of`, this.#name);
    }
    return done;
  }

  async append(bytes: Uint8Array | readonly Uint8Array[]): Promise<number> {
    this.#assertWritable();
    const parts = checkParts(bytes, this.#name);
    const length = totalLength(parts);
    if (this.#mayWriteNow(length)) {
      const end = this.#endOfTurn();
      this.#writeNow(end, parts, length, end);
      return end;
    }
    return this.#mutate(async () => {
      const end = this.#end();
      this.#assertAllWritten(await this.#writeParts(end, parts), length);
      return end;
    });
  }

  appendSync(bytes: Uint8Array | readonly Uint8Array[]): number {
    this.#assertWritable();
    const parts = checkParts(bytes, this.#name);
    this.#assertFree("appended to");
    beginTurn();
    const end = this.#end();
    this.#writeNow(end, parts, totalLength(parts), end);
    return end;
  }

  writeAtSync(position: number, bytes: Uint8Array | readonly Uint8Array[], expectedLength?: number): number {
    this.#assertWritable();
    checkOffset(position, "position", this.#name);
    const parts = checkParts(bytes, this.#name);
    this.#assertFree("written");
    beginTurn();
    const end = this.#endAt(expectedLength);
    if (expectedLength === undefined || end === expectedLength)
      this.#writeNow(position, parts, totalLength(parts), end);
    return end;
  }

  async writeAt(
    position: number,
    bytes: Uint8Array | readonly Uint8Array[],
    expectedLength?: number,
  ): Promise<number> {
    this.#assertWritable();
    checkOffset(position, "position", this.#name);
    const parts = checkParts(bytes, this.#name);
    const length = totalLength(parts);
    const isOther = (end: number) => expectedLength !== undefined && end !== expectedLength;
    if (this.#mayWriteNow(length)) {
      const end = wroteLast(this) ? this.#lastEnd : this.#endAt(expectedLength);
      if (!isOther(end)) this.#writeNow(position, parts, length, end);
      return end;
    }
    return this.#mutate(async () => {
      const end = this.#endAt(expectedLength);
      if (!isOther(end)) this.#assertAllWritten(await this.#writeParts(position, parts), length);
      return end;
    });
  }

  async truncate(length: number): Promise<void> {
    this.#assertWritable();
    checkOffset(length, "length", this.#name);
    return this.#mutate(async () => {
      try {
        await this.#handle.truncate(length);
      } catch (cause) {
        throw fromSystemError(cause, `truncate to ${length} bytes of`, this.#name);
      }
    });
  }

  truncateSync(length: number): void {
    this.#assertWritable();
    checkOffset(length, "length", this.#name);
    this.#assertFree("truncated");
    markWritten(undefined);
    try {
      ftruncateSync(this.#handle.fd, length);
    } catch (cause) {
      throw fromSystemError(cause, `truncate to ${length} bytes of`, this.#name);
    }
  }

  async sync(): Promise<void> {
    this.#assertWritable();
    this.#syncs++;
    return this.#mutate(async () => {
      try {
        await datasync(this.#handle.fd);
      } catch (cause) {
        throw this.#failSync(cause);
      } finally {
        this.#syncs--;
      }
    });
  }

  syncSync(): void {
    this.#assertWritable();
    this.#assertFree("synced");
    const fd = this.#syncs === 0 ? this.#handle.fd : this.#beside?.fd;
    if (fd === undefined) throw busy(this.#name, "synced");
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
    try {
      fdatasyncSync(fd);
    } catch (cause) {
      throw this.#failSync(cause);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#lastMutation;
    if (this.#reads > 0) {
      await new Promise<void>((resolve) => {
        this.#readsEnded = resolve;
      });
    }
    try {
      await this.#handle.close();
    } catch (cause) {
      throw fromSystemError(cause, "close", this.#name);
    } finally {
      this.#beside?.close();
      this.#closed?.(this);
    }
  }

  #failSync(cause: unknown): KayaError {
    const failure = fromSyncError(cause, this.#name);
    this.#syncFailure ??= failure;
    return failure;
  }

  /**
   * A small write is in the page cache before another thread could begin. Not during an fsync: the kernel may hold the write back until that ends.
   */
  #mayWriteNow(length: number): boolean {
    return this.#mutations === 0 && length <= SYNCHRONOUS_BYTES && hasTimeLeft();
  }

  /** The file's end: known without a system call if this process wrote nothing else since the last write here, in this turn. */
  #endOfTurn(): number {
    return wroteLast(this) ? this.#lastEnd : this.#end();
  }

  /** @param end of the file, before this */
  #writeNow(start: number, parts: readonly Uint8Array[], length: number, end: number): void {
    markWritten(undefined);
    const written = this.#writePartsNow(start, parts);
    this.#assertAllWritten(written, length);
    this.#lastEnd = length === 0 ? end : Math.max(end, start + written);
    markWritten(this);
  }

  /** `#writeParts` for a few bytes. */
  #writePartsNow(position: number, parts: readonly Uint8Array[]): number {
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) return this.#writePartNow(position, only);
    let done = 0;
    try {
      for (let rest = behind(parts, 0); rest.length > 0; rest = behind(parts, done)) {
        done += assertSome(writevSync(this.#handle.fd, rest, position + done));
      }
      return done;
    } catch (cause) {
      throw fromSystemError(cause, `write at offset ${position + done} of`, this.#name);
    }
  }

  /** Gives the bytes written: all that there are. */
  #writePartNow(position: number, bytes: Uint8Array): number {
    const { length } = bytes; // an array over shared memory may grow meanwhile
    let done = 0;
    try {
      while (done < length) {
        done += assertSome(writeSync(this.#handle.fd, bytes, done, length - done, position + done));
      }
      return done;
    } catch (cause) {
      throw fromSystemError(cause, `write at offset ${position + done} of`, this.#name);
    }
  }

  // Bytes may have been transferred or shrunk while they waited.
  #assertAllWritten(written: number, length: number): void {
    if (written === length) return;
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `${this.#name}: ${length} bytes were given and ${written} were left when it came to writing: their memory was transferred or resized. ` +
        "Leave bytes alone until the promise settles.",
    );
  }

  /**
   * Re-read at least once a turn, and in each synchronous call, because a loop of those is one turn: another process may have changed it.
   * Synchronous: a thread hop costs ten times more.
   */
  #end(): number {
    return this.#statSync().size;
  }

  /**
   * The file's end, by a read if it is as expected. After a `stat` Linux gives the next change of the file new times, which an fsync may
   * have to write (multigrain timestamps). A read does not cause that.
   */
  #endAt(expected: number | undefined): number {
    return expected !== undefined && this.#endsAt(expected) ? expected : this.#end();
  }

  #endsAt(length: number): boolean {
    try {
      const before = Math.min(length, 1);
      return readSync(this.#handle.fd, AROUND_END, 0, 2, length - before) === before;
    } catch {
      return false; // `#end` asks by `stat`
    }
  }

  #statSync(): Stats {
    try {
      return fstatSync(this.#handle.fd);
    } catch (cause) {
      throw fromSystemError(cause, "stat", this.#name);
    }
  }

  async #stat(): Promise<Stats> {
    this.#assertOpen();
    this.#reads++;
    try {
      return await this.#handle.stat();
    } catch (cause) {
      throw fromSystemError(cause, "stat", this.#name);
    } finally {
      this.#readEnded();
    }
  }

  /** Gathers parts in one write; too many bytes for one system call go one by one. Gives the bytes written: all. */
  async #writeParts(position: number, parts: readonly Uint8Array[]): Promise<number> {
    let done = 0;
    if (parts.length === 1 || totalLength(parts) > MAX_TRANSFER_BYTES) {
      for (const part of parts) done += await this.#writeAll(position + done, part);
      return done;
    }
    try {
      for (let rest = behind(parts, 0); rest.length > 0; rest = behind(parts, done)) {
        done += assertSome(await gather(this.#handle.fd, rest, position + done));
      }
      return done;
    } catch (cause) {
      throw fromSystemError(cause, `write at offset ${position + done} of`, this.#name);
    }
  }

  /** Gives the bytes written: all that there are. */
  async #writeAll(position: number, bytes: Uint8Array): Promise<number> {
    const total = bytes.length;
    let done = 0;
    try {
      while (done < total) {
        const length = Math.min(total - done, MAX_TRANSFER_BYTES);
        const { bytesWritten } = await this.#handle.write(bytes, done, length, position + done);
        done += assertSome(bytesWritten);
      }
      return done;
    } catch (cause) {
      throw fromSystemError(cause, `write at offset ${position + done} of`, this.#name);
    }
  }

  #mutate<T>(operation: () => Promise<T>): Promise<T> {
    this.#mutations++;
    markWritten(undefined);
    const result = this.#lastMutation.then(operation);
    const settled = () => {
      this.#mutations--;
    };
    this.#lastMutation = result.then(settled, settled); // the caller gets the rejection; the next one starts clean
    return result;
  }

  /** Synchronous operations wait for nothing; an fsync under way does not change what they find. */
  #assertFree(what: string): void {
    if (this.#mutations > this.#syncs) throw busy(this.#name, what);
  }

  #readEnded(): void {
    this.#reads--;
    if (this.#reads === 0) this.#readsEnded?.();
  }

  #assertWritable(): void {
    this.#assertOpen();
    if (this.#readOnly) throw new KayaError("KAYA_INVALID_ARGUMENT", `${this.#name} was opened read-only`);
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new KayaError("KAYA_CLOSED", `${this.#name} is closed`);
  }
}

/**
 * Fills `into` from `done` on, or up to the end of the file, and gives the number of bytes in it. `FileHandle.read` would make promises,
 * each with an array for a `stat`, for the garbage collector.
 */
function readAll(
  fd: number,
  position: number,
  into: Uint8Array,
  done: number,
  ended: (error: unknown, done: number) => void,
): void {
  const length = Math.min(into.length - done, MAX_TRANSFER_BYTES);
  if (length <= 0) {
    ended(undefined, done);
    return;
  }
  try {
    read(fd, into, done, length, position + done, (error, bytesRead) => {
      if (error !== null) ended(error, done);
      else if (bytesRead === 0) ended(undefined, done);
      else readAll(fd, position, into, done + bytesRead, ended);
    });
  } catch (error) {
    ended(error, done); // the memory was transferred or resized meanwhile
  }
}

/** `FileHandle.datasync` without its promises, which cost a tenth of the way through the thread pool. */
function datasync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => (error ? reject(error) : resolve()));
  });
}

function gather(fd: number, parts: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, parts, position, (error, written) => (error ? reject(error) : resolve(written)));
  });
}

function assertSome(written: number): number {
  if (written === 0) throw new Error("the system wrote nothing");
  return written;
}

/** The parts without their first `done` bytes, and without those that have none. */
function behind(parts: readonly Uint8Array[], done: number): readonly Uint8Array[] {
  const rest: Uint8Array[] = [];
  let left = done;
  for (const part of parts) {
    const { length } = part;
    if (left < length) rest.push(left === 0 ? part : part.subarray(left));
    left = Math.max(0, left - length);
  }
  return rest;
}

function totalLength(parts: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}
