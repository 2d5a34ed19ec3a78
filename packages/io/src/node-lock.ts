import { constants, fstatSync, lstatSync } from "node:fs";
import { type FileHandle, readFile, rename, unlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { KayaError } from "@kaya/core";
import type { DiskLock, ReleaseOptions } from "./disk.js";
import { type FileIdentity, identityOf, isSame } from "./file-identity.js";
import { readRelease } from "./lock-mark.js";
import { formatNote, type LockNote, NOTE_BYTES, parseNote } from "./lock-note.js";
import { loadTryLock, type TryLock } from "./native-lock.js";
import { errnoOf, fromSystemError } from "./node-errors.js";
import { type Model, makeFile, openOrMakeFile } from "./open-file.js";
import { type Ownership, ownershipOfOpen } from "./ownership.js";

// Behind the text, because Windows refuses to read a locked range, and others read the holder's pid from the text.
const LOCKED_OFFSET = 2 ** 30;

/** How often the file may have been replaced when it is locked. */
const MOST_TRIES = 10;
const LINKED_WAIT_MS = 20;

/**
 * Takes the kernel lock on `name` (an absolute path).
 * @param reach gives its path for a system call
 * @param like owner and mode of the file if it is created
 * @param released called once the lock is released
 */
export async function lockFile(
  name: string,
  reach: () => string,
  like: Model,
  released: () => Promise<void>,
): Promise<NodeLock> {
  const tryLock = loadTryLock(name);
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    let handle = await openOrMakeFile(openingOf(name, reach()), like);
    try {
      if (!tryLock(handle.fd, LOCKED_OFFSET, 1)) {
        // Through another name (a copy made of hard links) it may be locked for the moment in which that process makes its own.
        if (fstatSync(handle.fd).nlink <= 1 || tries === MOST_TRIES - 1) throw await conflict(handle, name);
        await sleep(LINKED_WAIT_MS);
      }
      // A file that was removed or replaced since it was opened keeps nobody out.
      else if (isNamed(handle, name)) {
        handle = await ownLockFile(handle, name, reach, tryLock);
        return await takeOver(handle, name, released);
      }
    } catch (error) {
      await handle.close();
      throw KayaError.is(error) ? error : fromSystemError(error, "lock", name);
    }
    await handle.close();
  }
  throw new KayaError(
    "KAYA_LOCK_CONFLICT",
    `${name} cannot be locked: each time it was another file by then. Something removes or replaces it all the time: stop that.`,
  );
}

function openingOf(name: string, way: string) {
  return { way, name, access: constants.O_RDWR, doing: "open the lock file" };
}

function identityOfOpen(handle: FileHandle): FileIdentity {
  return identityOf(fstatSync(handle.fd, { bigint: true }));
}

/** Whether `name` still leads to the file that is open. */
function isNamed(handle: FileHandle, name: string): boolean {
  return isSame(identityOfOpen(handle), lstatSync(name, { bigint: true, throwIfNoEntry: false }));
}

/**
 * A file with other names (a copy of the directory made of hard links) has one note and one lock for all of them. So a new file replaces it
 * here, locked before it has the name. On a full disk the shared file stays: the lock matters more than the note.
 */
async function ownLockFile(
  shared: FileHandle,
  name: string,
  reach: () => string,
  tryLock: TryLock,
): Promise<FileHandle> {
  if (fstatSync(shared.fd).nlink <= 1) return shared;
  const way = reach();
  const temporary = `${way}.tmp`;
  await unlink(temporary).catch(() => undefined); // left by a crash; if it cannot be removed, creating it reports why
  let own: FileHandle | undefined;
  try {
    own = await makeFile(openingOf(`${name}.tmp`, temporary), () => ownershipOfOpen(shared.fd));
    const note = new Uint8Array(NOTE_BYTES);
    const { bytesRead } = await shared.read(note, 0, NOTE_BYTES, 0);
    await own.write(note, 0, bytesRead, 0);
    if (!tryLock(own.fd, LOCKED_OFFSET, 1)) throw await conflict(own, `${name}.tmp`);
    await rename(temporary, way);
  } catch (cause) {
    await own?.close();
    if (own !== undefined) await unlink(temporary).catch(() => undefined);
    if (["ENOSPC", "EDQUOT"].includes(errnoOf(KayaError.is(cause) ? cause.cause : cause))) return shared;
    throw cause;
  }
  await shared.close();
  return own;
}

async function takeOver(handle: FileHandle, name: string, released: () => Promise<void>): Promise<NodeLock> {
  const boot = await bootId();
  const previous = await readNote(handle);
  const cleanStart = previous?.state === "clean";
  const lastMark = previous?.mark;
  await writeNote(handle, name, { pid: process.pid, boot, state: "open", mark: lastMark });
  const identity = identityOfOpen(handle);
  const ownership = ownershipOfOpen(handle.fd);
  return new NodeLock(handle, name, boot, {
    cleanStart,
    mark: cleanStart ? lastMark : undefined,
    lastMark,
    identity,
    ownership,
    released,
  });
}

interface TakenLock extends Omit<DiskLock, "release"> {
  readonly identity: FileIdentity;
  readonly ownership: Ownership | undefined;
  readonly released: () => Promise<void>;
}

export class NodeLock implements DiskLock {
  readonly cleanStart: boolean;
  readonly mark: string | undefined;
  readonly lastMark: string | undefined;
  /** Of the file that is locked. */
  readonly identity: FileIdentity;
  readonly ownership: Ownership | undefined;
  readonly #letGo: () => Promise<void>;
  readonly #handle: FileHandle;
  readonly #name: string;
  readonly #boot: string;
  #released: Promise<void> | undefined;

  constructor(handle: FileHandle, name: string, boot: string, taken: TakenLock) {
    this.#handle = handle;
    this.#name = name;
    this.#boot = boot;
    this.cleanStart = taken.cleanStart;
    this.mark = taken.mark;
    this.lastMark = taken.lastMark;
    this.identity = taken.identity;
    this.ownership = taken.ownership;
    this.#letGo = taken.released;
    held.add(this);
  }

  async release(options?: ReleaseOptions): Promise<void> {
    const { clean, mark, remove } = readRelease(options);
    this.#released ??= remove ? this.#remove() : this.#release(clean, mark);
    return this.#released;
  }

  /** Somebody who has the file open by now finds that its name is gone, and makes another one. */
  async #remove(): Promise<void> {
    try {
      await this.#letGo();
      if (isNamed(this.#handle, this.#name)) await unlink(this.#name);
    } catch (cause) {
      throw KayaError.is(cause) ? cause : fromSystemError(cause, "remove the lock file", this.#name);
    } finally {
      await this.#close();
    }
  }

  async #release(clean: boolean, mark: string | undefined): Promise<void> {
    try {
      const last = mark ?? this.lastMark;
      const note = { pid: process.pid, boot: this.#boot, state: "clean", mark: last } as const;
      if (clean) await writeNote(this.#handle, this.#name, note);
      // A new mark is worth an fsync. If that fails an older mark may be left: it proves less, but nothing wrong.
      if (clean && last !== this.lastMark) await this.#handle.datasync().catch(() => undefined);
    } catch (cause) {
      throw KayaError.is(cause) ? cause : fromSystemError(cause, "write the lock file", this.#name);
    } finally {
      await this.#letGo();
      await this.#close(); // drops the kernel lock
    }
  }

  async #close(): Promise<void> {
    try {
      await this.#handle.close();
    } catch (cause) {
      throw fromSystemError(cause, "close the lock file", this.#name);
    } finally {
      held.delete(this);
    }
  }
}

/**
 * Every lock that is held. A lock without references is still held: if its handle were collected, the system would close it, and another
 * process could open a directory to which this one still writes.
 */
const held = new Set<NodeLock>();

async function conflict(handle: FileHandle, name: string): Promise<KayaError> {
  const holder = await readNote(handle);
  const who =
    holder === undefined
      ? "another process"
      : holder.pid === process.pid
        ? `this process (pid ${holder.pid})`
        : `process ${holder.pid}`;
  return new KayaError(
    "KAYA_LOCK_CONFLICT",
    `${name} is held by ${who}: only one may write to the directory. Close it there first, ` +
      "or only read with readOnly: true. The lock goes by itself when its process ends; deleting the file does not help.",
  );
}

/** Undefined if none can be read. */
export async function readNote(handle: FileHandle): Promise<LockNote | undefined> {
  const buffer = new Uint8Array(NOTE_BYTES);
  const { bytesRead } = await handle.read(buffer, 0, NOTE_BYTES, 0);
  return parseNote(buffer.subarray(0, bytesRead));
}

async function writeNote(handle: FileHandle, name: string, note: LockNote): Promise<void> {
  const bytes = formatNote(note);
  try {
    await handle.write(bytes, 0, bytes.length, 0);
  } catch (cause) {
    // On a full disk an empty note is enough: it proves nothing, so the next start is careful.
    if (!["ENOSPC", "EDQUOT"].includes(errnoOf(cause))) {
      throw fromSystemError(cause, "write the lock file", name);
    }
    await handle.truncate(0);
  }
}

/**
 * Only for messages. The id says nothing of the page cache: a container may have its own id (systemd-nspawn, LXC), which changes with each
 * of its starts, while pages of a failed fsync stay.
 */
export function isOtherBoot(a: string, b: string): boolean {
  return a !== b && a !== UNKNOWN_BOOT && b !== UNKNOWN_BOOT;
}

const UNKNOWN_BOOT = "unknown";

// Only Linux names its boots; elsewhere every start counts as the same boot.
export async function bootId(): Promise<string> {
  try {
    const id = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    return /^[0-9a-f-]{8,64}$/.test(id) ? id : UNKNOWN_BOOT;
  } catch {
    return UNKNOWN_BOOT;
  }
}
