import { constants } from "node:fs";
import { type FileHandle, readFile, rename, stat, unlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { KayaError } from "@kaya/core";
import type { DiskLock } from "./disk.js";
import { checkMark } from "./lock-mark.js";
import { makeFile, openOrMake } from "./new-file.js";
import { errnoOf, fromSystemError } from "./node-errors.js";
import { type Ownership, ownershipOfFile } from "./ownership.js";

// Behind the text, because Windows refuses to read a locked range, and others read the holder's pid from the text.
const LOCKED_OFFSET = 2 ** 30;

// Fixed, so that a note never needs space that the disk may not have.
const NOTE_BYTES = 128;

interface Note {
  readonly pid: number;
  readonly boot: string;
  readonly state: "open" | "clean";
  readonly mark?: string | undefined;
}

/**
 * Takes the kernel lock on `name` (an absolute path).
 * @param like whose the file is to be where it is made
 */
export async function lockFile(name: string, like: () => Promise<Ownership | undefined>): Promise<DiskLock> {
  const { tryLock } = loadLocks(name);
  const handle = await takeLock(name, tryLock, like);
  try {
    const boot = await bootId();
    const previous = await readNote(handle);
    const rebooted = previous !== undefined && isOtherBoot(previous.boot, boot);
    const cleanStart = rebooted || previous?.state === "clean";
    const mark = rebooted ? undefined : previous?.mark;
    await writeNote(handle, name, { pid: process.pid, boot, state: "open" });
    return new NodeLock(handle, name, boot, { cleanStart, mark });
  } catch (error) {
    await handle.close();
    throw KayaError.is(error) ? error : fromSystemError(error, "lock", name);
  }
}

/** A handle on what `name` is now, with the lock on it. */
async function takeLock(
  name: string,
  tryLock: Locks["tryLock"],
  like: () => Promise<Ownership | undefined>,
): Promise<FileHandle> {
  for (;;) {
    const handle = await openLockFile(name, like);
    try {
      if (!tryLock(handle.fd, LOCKED_OFFSET, 1)) throw await conflict(handle, name);
      if (await isNamed(handle, name)) return await ownLockFile(handle, name, tryLock);
    } catch (error) {
      await handle.close();
      throw KayaError.is(error) ? error : fromSystemError(error, "lock", name);
    }
    await handle.close(); // it was replaced between opening and locking: the lock is on the new one
  }
}

/** Whether `name` still leads to the file that is open. */
async function isNamed(handle: FileHandle, name: string): Promise<boolean> {
  const held = await handle.stat({ bigint: true });
  const named = await stat(name, { bigint: true }).catch((cause: unknown) => {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw cause;
  });
  return named !== undefined && named.dev === held.dev && named.ino === held.ino;
}

/**
 * A file with other names (a copy of the directory made of hard links) has one note and one lock for all of them: so a new file, which
 * is locked before it has the name, takes its place here. On a full disk the shared one serves; the lock matters more than the note.
 */
async function ownLockFile(shared: FileHandle, name: string, tryLock: Locks["tryLock"]): Promise<FileHandle> {
  if ((await shared.stat()).nlink <= 1) return shared;
  const temporary = `${name}.tmp`;
  await unlink(temporary).catch(() => undefined); // what a crash left; if it cannot go, making it anew says why
  let own: FileHandle | undefined;
  try {
    own = await makeFile(temporary, constants.O_RDWR, await ownershipOfFile(name));
    const note = new Uint8Array(NOTE_BYTES);
    const { bytesRead } = await shared.read(note, 0, NOTE_BYTES, 0);
    await own.write(note, 0, bytesRead, 0);
    if (!tryLock(own.fd, LOCKED_OFFSET, 1)) throw await conflict(own, temporary);
    await rename(temporary, name);
  } catch (cause) {
    await own?.close();
    if (own !== undefined) await unlink(temporary).catch(() => undefined);
    if (["ENOSPC", "EDQUOT"].includes(errnoOf(cause))) return shared;
    throw cause;
  }
  await shared.close();
  return own;
}

class NodeLock implements DiskLock {
  readonly cleanStart: boolean;
  readonly mark: string | undefined;
  readonly #handle: FileHandle;
  readonly #name: string;
  readonly #boot: string;
  #released: Promise<void> | undefined;

  constructor(handle: FileHandle, name: string, boot: string, left: Pick<DiskLock, "cleanStart" | "mark">) {
    this.#handle = handle;
    this.#name = name;
    this.#boot = boot;
    this.cleanStart = left.cleanStart;
    this.mark = left.mark;
  }

  async release(options?: { readonly clean?: boolean; readonly mark?: string }): Promise<void> {
    checkMark(options?.mark);
    this.#released ??= this.#release(options?.clean === true, options?.mark);
    return this.#released;
  }

  async #release(clean: boolean, mark: string | undefined): Promise<void> {
    try {
      const note = { pid: process.pid, boot: this.#boot, state: "clean", mark } as const;
      if (clean) await writeNote(this.#handle, this.#name, note);
    } finally {
      await this.#handle.close(); // drops the kernel lock
    }
  }
}

async function openLockFile(name: string, like: () => Promise<Ownership | undefined>): Promise<FileHandle> {
  try {
    return await openOrMake(name, constants.O_RDWR, like);
  } catch (cause) {
    throw fromSystemError(cause, "open the lock file", name);
  }
}

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
    `${name} is held by ${who}: only one may have the directory open. Close it there first. ` +
      "The lock goes by itself when its process ends; deleting the file does not help.",
  );
}

/** Undefined where there is none that can be read. */
export async function readNote(handle: FileHandle): Promise<Note | undefined> {
  const buffer = new Uint8Array(NOTE_BYTES);
  const { bytesRead } = await handle.read(buffer, 0, NOTE_BYTES, 0);
  const text = new TextDecoder().decode(buffer.subarray(0, bytesRead));
  const match = /^pid=(\d+) boot=(\S+) state=(open|clean)(?: mark=(\S+))? *\n$/.exec(text);
  if (match === null) return undefined;
  return {
    pid: Number(match[1]),
    boot: match[2] as string,
    state: match[3] as Note["state"],
    mark: match[4],
  };
}

async function writeNote(handle: FileHandle, name: string, note: Note): Promise<void> {
  const mark = note.mark === undefined ? "" : ` mark=${note.mark}`;
  const text = `pid=${note.pid} boot=${note.boot} state=${note.state}${mark}`;
  const bytes = new TextEncoder().encode(`${text.padEnd(NOTE_BYTES - 1)}\n`);
  try {
    await handle.write(bytes, 0, bytes.length, 0);
  } catch (cause) {
    // On a full disk an empty note will do: it says that nothing is known, and the next start is careful.
    if (!["ENOSPC", "EDQUOT"].includes(errnoOf(cause))) {
      throw fromSystemError(cause, "write the lock file", name);
    }
    await handle.truncate(0);
  }
}

export function isOtherBoot(a: string, b: string): boolean {
  return a !== b && a !== UNKNOWN_BOOT && b !== UNKNOWN_BOOT;
}

const UNKNOWN_BOOT = "unknown";

// Only Linux names its boots; elsewhere every start counts as the same boot, which costs a copy of the tail and no data.
export async function bootId(): Promise<string> {
  try {
    const id = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    return /^[0-9a-f-]{8,64}$/.test(id) ? id : UNKNOWN_BOOT;
  } catch {
    return UNKNOWN_BOOT;
  }
}

type Locks = { tryLock(fd: number, offset: number, length: number): boolean };

function loadLocks(name: string): Locks {
  try {
    return createRequire(import.meta.url)("fs-native-extensions") as Locks;
  } catch (cause) {
    throw new KayaError(
      "KAYA_IO",
      `cannot lock ${name}: the native module fs-native-extensions does not load on ${process.platform}-${process.arch} ` +
        `(${firstLineOf(cause)}). Nothing else would keep a second process out, and two writers destroy the log: ` +
        "make sure that only one process opens the directory, and say so with `disableLocking: true`.",
      { cause },
    );
  }
}

function firstLineOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n", 1)[0] as string;
}
