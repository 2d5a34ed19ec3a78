import { constants } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { KayaError } from "@kaya/core";
import type { DiskLock } from "./disk.js";
import { checkMark } from "./lock-mark.js";
import { formatNote, type LockNote, NOTE_BYTES, parseNote } from "./lock-note.js";
import { errnoOf, fromSystemError } from "./node-errors.js";

// Behind the text, because Windows refuses to read a locked range, and others read the holder's pid from the text.
const LOCKED_OFFSET = 2 ** 30;

/** Takes the kernel lock on `name` (an absolute path). */
export async function lockFile(name: string): Promise<DiskLock> {
  const { tryLock } = loadLocks(name);
  const handle = await openLockFile(name);
  try {
    if (!tryLock(handle.fd, LOCKED_OFFSET, 1)) throw await conflict(handle, name);
    const boot = await bootId();
    const previous = await readNote(handle);
    const rebooted = previous !== undefined && isOtherBoot(previous.boot, boot);
    const cleanStart = rebooted || previous?.state === "clean";
    const lastMark = previous?.mark;
    const mark = rebooted || !cleanStart ? undefined : lastMark;
    await writeNote(handle, name, { pid: process.pid, boot, state: "open", mark: lastMark });
    return new NodeLock(handle, name, boot, { cleanStart, mark, lastMark });
  } catch (error) {
    await handle.close();
    throw KayaError.is(error) ? error : fromSystemError(error, "lock", name);
  }
}

class NodeLock implements DiskLock {
  readonly cleanStart: boolean;
  readonly mark: string | undefined;
  readonly lastMark: string | undefined;
  readonly #handle: FileHandle;
  readonly #name: string;
  readonly #boot: string;
  #released: Promise<void> | undefined;

  constructor(handle: FileHandle, name: string, boot: string, left: Omit<DiskLock, "release">) {
    this.#handle = handle;
    this.#name = name;
    this.#boot = boot;
    this.cleanStart = left.cleanStart;
    this.mark = left.mark;
    this.lastMark = left.lastMark;
  }

  async release(options?: { readonly clean?: boolean; readonly mark?: string }): Promise<void> {
    checkMark(options?.mark);
    this.#released ??= this.#release(options?.clean === true, options?.mark);
    return this.#released;
  }

  async #release(clean: boolean, mark: string | undefined): Promise<void> {
    try {
      const last = mark ?? this.lastMark;
      const note = { pid: process.pid, boot: this.#boot, state: "clean", mark: last } as const;
      if (clean) await writeNote(this.#handle, this.#name, note);
      // A new mark is worth an fsync. Where that fails an older one may be what is left: it says less, and nothing wrong.
      if (clean && last !== this.lastMark) await this.#handle.datasync().catch(() => undefined);
    } finally {
      await this.#handle.close(); // drops the kernel lock
    }
  }
}

async function openLockFile(name: string): Promise<FileHandle> {
  try {
    return await open(name, constants.O_RDWR | constants.O_CREAT, 0o666);
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
