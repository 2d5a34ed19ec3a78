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
 *
 * A disk that was written to belongs to one directory, not to a path. Where the path names another directory from then on, each operation
 * that takes a path rejects with KAYA_DIRECTORY_REPLACED and changes nothing: this is final. Files that are open go on working.
 */
export interface Disk {
  /** Where it is, as an absolute path: names it in events. Absent where it is nowhere. */
  readonly root?: string | undefined;

  /**
   * Opens a file for reading and writing. With `create` it is made where it is absent, with its parent directories;
   * with `exclusive` besides it must be absent; with `readOnly` every mutating operation on it is refused.
   * @throws KayaError KAYA_NOT_FOUND where it is absent; KAYA_INVALID_ARGUMENT where the path is anything but a regular
   *   file, leads through a file or a symbolic link, or is there and must not be; KAYA_DISK_FULL; KAYA_IO;
   *   KAYA_DIRECTORY_REPLACED.
   */
  open(path: string, options?: OpenOptions): Promise<DiskFile>;

  /**
   * The entries of a directory, not of those below it, sorted by path; none where it is absent.
   * @throws KayaError KAYA_INVALID_ARGUMENT where it is a file or a symbolic link; KAYA_IO; KAYA_DIRECTORY_REPLACED.
   */
  list(dir: string): Promise<DirEntry[]>;

  /**
   * Gives a file another name, replacing what has it, and makes the parent directories of `to`. Atomic while the
   * machine runs; durable once the directories of both names are synced, that of `to` first: in the other order a
   * crash in between may leave neither name.
   * @throws KayaError KAYA_NOT_FOUND; KAYA_INVALID_ARGUMENT where either is a directory; KAYA_IO; KAYA_DIRECTORY_REPLACED.
   */
  rename(from: string, to: string): Promise<void>;

  /**
   * Removes the name of a file or a symbolic link; no error where it is absent. Handles that are open go on working.
   * @throws KayaError KAYA_INVALID_ARGUMENT where it is a directory or anything else; KAYA_IO; KAYA_DIRECTORY_REPLACED.
   */
  remove(path: string): Promise<void>;

  /**
   * Makes the names in a directory durable: creations, renames and removals. Not those of directories below it, nor
   * its own name in its parent. `""` is the root; the root's own name is the disk's business.
   *
   * It opens nothing where this disk created or renamed something into the directory, or synced it before.
   * @throws KayaError KAYA_FSYNC_FAILED: as final as a failed `sync`. KAYA_IO where no fsync was tried: the directory could
   *   not be opened. KAYA_NOT_FOUND, KAYA_INVALID_ARGUMENT where there is no such directory; KAYA_DIRECTORY_REPLACED.
   */
  syncDir(dir: string): Promise<void>;

  /**
   * Creates a file, which must be absent, and its parent directories, before it returns. It blocks the event
   * loop. A disk has all four synchronous methods or none.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT if the name exists, or the path leads through a file or a symbolic
   *   link; KAYA_DISK_FULL, KAYA_IO, KAYA_DIRECTORY_REPLACED
   */
  createSync?(path: string, options?: CreateOptions): DiskFile;

  /**
   * Gives a file another name, replacing the file that has it, before it returns.
   *
   * @throws KayaError KAYA_NOT_FOUND; KAYA_INVALID_ARGUMENT if either is a directory; KAYA_IO,
   *   KAYA_DIRECTORY_REPLACED
   */
  renameSync?(from: string, to: string): void;

  /**
   * Removes the name of a file or a symbolic link before it returns; no error if it is absent.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT if it is anything else; KAYA_IO, KAYA_DIRECTORY_REPLACED
   */
  removeSync?(path: string): void;

  /**
   * Makes the names in a directory durable before it returns.
   *
   * @throws KayaError KAYA_FSYNC_FAILED, which is final; KAYA_IO if no fsync was tried; KAYA_NOT_FOUND,
   *   KAYA_INVALID_ARGUMENT, KAYA_DIRECTORY_REPLACED
   */
  syncDirSync?(dir: string): void;

  /**
   * Takes an exclusive lock that the kernel drops when the process dies. The file at `path` is created for it and
   * stays, unless `release` removes it. While the lock is held and another file gets its name, or none has it, that is KAYA_DIRECTORY_REPLACED too.
   * @throws KayaError KAYA_LOCK_CONFLICT where it is held, by another process or this one; KAYA_INVALID_ARGUMENT where it is
   *   not a regular file; KAYA_IO; KAYA_DIRECTORY_REPLACED.
   */
  lock(path: string): Promise<DiskLock>;

  /**
   * Makes sure that the path still names the directory that was opened, and the lock's file the one that is locked: what is said to be
   * durable behind this call is where the path leads. A disk that cannot become another one has none.
   * @throws KayaError KAYA_DIRECTORY_REPLACED
   */
  assertSame?(): void;

  /**
   * Waits for what is under way and lets go of the directories that are held open. The disk can be used again: it then holds what the
   * path names by that time. A disk that holds nothing has none.
   */
  close?(): Promise<void>;
}

/** How a file is opened. */
export interface OpenOptions {
  /** Creates the file if it is absent, with its parent directories. Default false. */
  readonly create?: boolean;
  /**
   * Path of the file that the new one replaces. If `create` creates the file, it gets that file's owner and
   * mode, as far as this process may. If that file is absent, it gets those of the lock's file, or else the
   * owner of the root. A disk without owners ignores it.
   */
  readonly like?: string;
  /** With `create`: refuses a name that exists already. Default false. */
  readonly exclusive?: boolean;
  /** Refuses every mutating operation on the file. Default false. */
  readonly readOnly?: boolean;
  /**
   * Asks for `DiskFile.syncsBeside`, which costs a second descriptor. It is not granted if the system has none
   * left, or cannot do it.
   */
  readonly syncsBeside?: boolean;
}

/** How `createSync` creates a file. */
export type CreateOptions = Pick<OpenOptions, "like" | "syncsBeside">;

export const CREATE_OPTIONS: readonly (keyof CreateOptions)[] = ["like", "syncsBeside"];

export const OPEN_OPTIONS: readonly (keyof OpenOptions)[] = [
  "create",
  "exclusive",
  "like",
  "readOnly",
  "syncsBeside",
];

/**
 * One open file. Mutating operations take effect in the order of their calls. Those that are synchronous do what the others do before they
 * return, throw what those reject with, and block the event loop meanwhile. They cannot wait: while another mutating operation of the file is under
 * way, other than a `sync`, they throw KAYA_BUSY and change nothing.
 */
export interface DiskFile {
  /** The path of the file, relative to the disk's root. */
  readonly path: string;
  /** True if `syncSync` may be called while a `sync` is under way. */
  readonly syncsBeside: boolean;

  /** Bytes in the file now, durable or not. */
  length(): Promise<number>;

  /**
   * How many names the file has: more than 1 if somebody made a hard link to it, 0 if none is left. A change in
   * place shows under all of them.
   */
  links(): Promise<number>;

  /** Whether this is the file that its path leads to now: it may have been moved, removed or replaced. @throws KayaError KAYA_IO */
  hasNameSync(): boolean;

  /** Fills `into` from `position` on; gives the bytes read, fewer than asked only at the end of the file. */
  readAt(position: number, into: Uint8Array): Promise<number>;

  /**
   * Fills `into` from `position` on before it returns, and returns the bytes read, fewer than asked only at the
   * end of the file. It waits for nothing that is under way. The event loop stands still while the disk works:
   * use it for bytes that are probably in the page cache.
   *
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT, KAYA_IO
   */
  readAtSync(position: number, into: Uint8Array): number;

  /**
   * Writes behind the last byte and gives the offset where that began. The bytes are the disk's until the promise
   * settles. Where it rejects, any part may be in the file: `truncate` to the old length before going on.
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO
   */
  append(bytes: Uint8Array | readonly Uint8Array[]): Promise<number>;

  /**
   * Writes behind the last byte before it returns, and returns the offset where that began.
   *
   * @throws KayaError KAYA_BUSY if another mutating operation of the file is under way (nothing was written);
   *   KAYA_DISK_FULL or KAYA_IO (any part may be in the file: `truncate` to the old length)
   */
  appendSync(bytes: Uint8Array | readonly Uint8Array[]): number;

  /**
   * Writes at `position`; a gap behind the old end reads as zeros. Resolves to the length that the file had
   * before. The bytes are the disk's until the promise settles. If it rejects, any part may be in the file:
   * `truncate` to the old length before you go on.
   *
   * @param expectedLength if the file has another length, nothing is written: another process has changed it
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO
   */
  writeAt(
    position: number,
    bytes: Uint8Array | readonly Uint8Array[],
    expectedLength?: number,
  ): Promise<number>;

  /**
   * Writes at `position` before it returns, and returns the length that the file had before.
   *
   * @param expectedLength if the file has another length, nothing is written: another process has changed it
   * @throws KayaError KAYA_BUSY if another mutating operation of the file is under way (nothing was written);
   *   KAYA_DISK_FULL, KAYA_IO
   */
  writeAtSync(position: number, bytes: Uint8Array | readonly Uint8Array[], expectedLength?: number): number;

  /** Cuts the file, or extends it with zeros, to `length` bytes. */
  truncate(length: number): Promise<void>;

  /**
   * Cuts the file, or extends it with zeros, to `length` bytes before it returns.
   *
   * @throws KayaError KAYA_BUSY if another mutating operation of the file is under way (nothing was changed);
   *   KAYA_IO
   */
  truncateSync(length: number): void;

  /**
   * Makes the file's bytes and length durable.
   * @throws KayaError KAYA_FSYNC_FAILED. Final: what was unsynced may be gone although it still reads back, and a
   *   second `sync` that resolves proves nothing ("Can Applications Recover from fsync Failures?", USENIX ATC 2020).
   */
  sync(): Promise<void>;

  /**
   * Makes the file's bytes and length durable before it returns. With `syncsBeside` also while a `sync` is
   * under way: each of them then reports a failure, whichever of the two the system tells first. After a `sync`
   * of this handle has failed it always throws.
   *
   * @throws KayaError KAYA_BUSY if nothing was tried; KAYA_FSYNC_FAILED, which is final
   */
  syncSync(): void;

  /** Waits for what is under way and lets go of the file. Doing it again is fine; anything else is KAYA_CLOSED. */
  close(): Promise<void>;
}

/** An entry of a directory. */
export interface DirEntry {
  /** The path of the entry, relative to the disk's root. */
  readonly path: string;
  /** True for a directory; false for a symbolic link to one. */
  readonly isDirectory: boolean;
  /** Bytes of a file; 0 for any other entry. */
  readonly length: number;
  /** What the entry is, if it is neither a file nor a directory. */
  readonly special?: SpecialEntry;
}

/** An entry that is never opened, in the words that an error names it with. */
export type SpecialEntry = "a symbolic link" | "a FIFO" | "a socket" | "a device";

/** A lock that is held, and what the previous holder left. */
export interface DiskLock {
  /**
   * What the previous holder left in the page cache can be trusted to be what the disk has: it released the lock as clean. False where it
   * died or failed, and where nothing is known: then bytes may read back that a failed fsync never wrote. A start of the machine empties the
   * page cache, and still counts as nothing known: the start of a container looks the same from inside, and empties nothing.
   */
  readonly cleanStart: boolean;

  /** The mark that the previous holder left with `clean`; undefined if it left none. */
  readonly mark: string | undefined;

  /**
   * The last mark that any holder left with `clean`, whoever died or failed since, and also after a start of the machine: it may be older than
   * what is there, never newer. What it stands for was on stable storage, so nothing that happens to a process or a machine takes it away.
   * Undefined where none was ever left, or the disk had no room for it.
   */
  readonly lastMark: string | undefined;

  /**
   * Lets go. `clean` tells the next holder that everything written under this one was synced without a failure; `mark` (up
   * to 64 printable characters, no white space; default: the last one) is given to it and to all after it, so that they can tell what was there.
   */
  release(options?: ReleaseOptions): Promise<void>;
}

/** What the next holder of a lock is told. */
export interface ReleaseOptions {
  /** True: everything that was written under this lock was synced without a failure. Default false. */
  readonly clean?: boolean;
  /**
   * A text for the next holder, at most 64 printable characters without white space. Default: the last mark.
   */
  readonly mark?: string;
  /** True: the lock's file is removed before somebody else can take the lock, and the next holder finds nothing. Default false: it stays. */
  readonly remove?: boolean;
}
