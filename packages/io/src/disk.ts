/**
 * The disk as everything above sees it: few operations, each with a stated meaning under a crash. `NodeDisk` is the
 * real one, `SimDisk` the one that crashes on demand; `diskContract` in `@kaya/io/testing` checks both.
 *
 * What survives a crash:
 * - bytes of a file, once its `sync` has resolved;
 * - the *name* of a file or directory, once `syncDir` of the directory that holds it has resolved.
 * Everything else may survive, or not, or in part, each for itself and in any order.
 *
 * Paths are relative to the disk's root and follow the rules of `relativePath`. Every rejection is a KayaError.
 */
export interface Disk {
  /** Where it is, as an absolute path: names it in events. Absent where it is nowhere. */
  readonly root?: string | undefined;

  /**
   * Opens a file for reading and writing. With `create` it is made where it is absent, with its parent directories;
   * with `readOnly` every mutating operation on it is refused.
   * @throws KayaError KAYA_NOT_FOUND where it is absent; KAYA_INVALID_ARGUMENT where the path is a directory or
   *   leads through a file; KAYA_DISK_FULL; KAYA_IO.
   */
  open(path: string, options?: OpenOptions): Promise<DiskFile>;

  /**
   * The entries of a directory, not of those below it, sorted by path; none where it is absent.
   * @throws KayaError KAYA_INVALID_ARGUMENT where it is a file.
   */
  list(dir: string): Promise<DirEntry[]>;

  /**
   * Gives a file another name, replacing what has it, and makes the parent directories of `to`. Atomic while the
   * machine runs; durable once the directories of both names are synced, that of `to` first: in the other order a
   * crash in between may leave neither name.
   * @throws KayaError KAYA_NOT_FOUND; KAYA_INVALID_ARGUMENT where either is a directory.
   */
  rename(from: string, to: string): Promise<void>;

  /**
   * Removes a file's name; no error where it is absent. Handles that are open go on working.
   * @throws KayaError KAYA_INVALID_ARGUMENT where it is a directory.
   */
  remove(path: string): Promise<void>;

  /**
   * Makes the names in a directory durable: creations, renames and removals. Not those of directories below it, nor
   * its own name in its parent. `""` is the root; the root's own name is the disk's business.
   * @throws KayaError KAYA_FSYNC_FAILED: as final as a failed `sync`. KAYA_NOT_FOUND, KAYA_INVALID_ARGUMENT where
   *   there is no such directory.
   */
  syncDir(dir: string): Promise<void>;

  /**
   * Takes an exclusive lock that the kernel drops when the process dies. The file at `path` is created for it and
   * stays.
   * @throws KayaError KAYA_LOCK_CONFLICT where it is held, by another process or this one.
   */
  lock(path: string): Promise<DiskLock>;
}

export interface OpenOptions {
  readonly create?: boolean;
  readonly readOnly?: boolean;
}

/** One open file. Mutating operations take effect in the order of their calls. */
export interface DiskFile {
  readonly path: string;

  /** Bytes in the file now, durable or not. */
  length(): Promise<number>;

  /** Fills `into` from `position` on; gives the bytes read, fewer than asked only at the end of the file. */
  readAt(position: number, into: Uint8Array): Promise<number>;

  /**
   * Does what `readAt` does before it returns, and waits for nothing that is under way. It blocks the event loop for as long as the
   * disk takes: use it for bytes that are probably in the page cache. It throws what `readAt` rejects with.
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT, KAYA_IO
   */
  readAtSync(position: number, into: Uint8Array): number;

  /**
   * Writes behind the last byte and gives the offset where that began. The bytes are the disk's until the promise
   * settles. Where it rejects, any part may be in the file: `truncate` to the old length before going on.
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO
   */
  append(bytes: Uint8Array | readonly Uint8Array[]): Promise<number>;

  /** Writes at `position`; a gap behind the old end reads as zeros. The rest as `append`. */
  writeAt(position: number, bytes: Uint8Array): Promise<void>;

  /** Cuts the file, or extends it with zeros, to `length` bytes. */
  truncate(length: number): Promise<void>;

  /**
   * Makes the file's bytes and length durable.
   * @throws KayaError KAYA_FSYNC_FAILED. Final: what was unsynced may be gone although it still reads back, and a
   *   second `sync` that resolves proves nothing ("Can Applications Recover from fsync Failures?", USENIX ATC 2020).
   */
  sync(): Promise<void>;

  /** Waits for what is under way and lets go of the file. Doing it again is fine; anything else is KAYA_CLOSED. */
  close(): Promise<void>;
}

export interface DirEntry {
  readonly path: string;
  readonly isDirectory: boolean;
  /** In bytes; 0 for a directory. */
  readonly length: number;
}

export interface DiskLock {
  /**
   * What the previous holder left in the page cache can be trusted to be what the disk has: it released the lock as
   * clean, or the machine was started again since. False where it died or failed in this boot, and where nothing is
   * known: then bytes may read back that a failed fsync never wrote.
   */
  readonly cleanStart: boolean;

  /** What the previous holder left with `clean`; undefined where it left nothing, and after a start of the machine. */
  readonly mark: string | undefined;

  /**
   * Lets go. `clean` tells the next holder that everything written under this one was synced without a failure; `mark` (up
   * to 40 printable characters, no white space) is given to it, so that it can tell whether anyone wrote without the lock.
   */
  release(options?: { readonly clean?: boolean; readonly mark?: string }): Promise<void>;
}
