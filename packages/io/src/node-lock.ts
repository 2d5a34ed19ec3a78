import { constants } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { KayaError } from "@kaya/core";
import type { DiskLock, ReleaseOptions } from "./disk.js";
import { readRelease } from "./lock-mark.js";
import { loadTryLock } from "./native-lock.js";
import { errnoOf, fromSystemError } from "./node-errors.js";

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

/** Takes the kernel lock on `name` (an absolute path). */
export async function lockFile(name: string): Promise<DiskLock> {
  const tryLock = loadTryLock(name);
  const handle = await openLockFile(name);
  try {
    if (!tryLock(handle.fd, LOCKED_OFFSET, 1)) throw await conflict(handle, name);
    const boot = await bootId();
    const previous = await readNote(handle);
    const cleanStart = previous?.state === "clean";
    const mark = previous?.mark;
    await writeNote(handle, name, { pid: process.pid, boot, state: "open" });
    return new NodeLock(handle, name, boot, { cleanStart, mark });
  } catch (error) {
    await handle.close();
    throw KayaError.is(error) ? error : fromSystemError(error, "lock", name);
  }
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
    held.add(this);
  }

  async release(options?: ReleaseOptions): Promise<void> {
    const { clean, mark } = readRelease(options);
    this.#released ??= this.#release(clean, mark);
    return this.#released;
  }

  async #release(clean: boolean, mark: string | undefined): Promise<void> {
    try {
      const note = { pid: process.pid, boot: this.#boot, state: "clean", mark } as const;
      if (clean) await writeNote(this.#handle, this.#name, note);
    } catch (cause) {
      throw KayaError.is(cause) ? cause : fromSystemError(cause, "write the lock file", this.#name);
    } finally {
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
 * Every lock that is held. A lock that nobody refers to any more is still a lock: were its handle collected, the system would close it, and
 * another process could open a directory that files of this one still write to.
 */
const held = new Set<NodeLock>();

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

/**
 * For messages alone. The id says nothing of the page cache: a container may have one of its own (systemd-nspawn, LXC), which changes with each
 * start of the container, while the pages that a failed fsync left behind stay.
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
