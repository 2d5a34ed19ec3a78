import { KayaError } from "@kaya/core";
import { assertDisk } from "./assert-disk.js";
import type { Disk } from "./disk.js";

/** Fixed, so that a note never needs space that the disk may not have; less than a sector, so that no power cut tears it. */
export const NOTE_BYTES = 192;

/** What the holder of a lock keeps in the lock file. */
export interface LockNote {
  /** The id of the process that wrote the note. */
  readonly pid: number;
  /** The start of the machine in which the note was written. */
  readonly boot: string;
  /** `clean`: it let go, and everything was synced. */
  readonly state: "open" | "clean";
  /** The last one that was left with `clean`, by this holder or one before it. */
  readonly mark?: string | undefined;
}

export function formatNote({ pid, boot, state, mark }: LockNote): Uint8Array {
  const text = `pid=${pid} boot=${boot} state=${state}${mark === undefined ? "" : ` mark=${mark}`}`;
  return new TextEncoder().encode(`${text.padEnd(NOTE_BYTES - 1)}\n`);
}

/** Undefined where the bytes are no note. */
export function parseNote(bytes: Uint8Array): LockNote | undefined {
  const text = new TextDecoder().decode(bytes);
  const match = /^pid=(\d+) boot=(\S+) state=(open|clean)(?: mark=(\S+))? *\n$/.exec(text);
  if (match === null) return undefined;
  const [, pid, boot = "", state, mark] = match;
  return { pid: Number(pid), boot, state: state === "clean" ? "clean" : "open", mark };
}

/**
 * Reads the note in a lock file, without the lock.
 * @returns undefined where there is no such file, or it holds something else: other stores call theirs `LOCK` too
 * @throws KayaError KAYA_IO; KAYA_INVALID_ARGUMENT where the path is a directory, or `disk` is none
 */
export async function readLockNote(disk: Disk, path: string): Promise<LockNote | undefined> {
  assertDisk(disk);
  const file = await disk.open(path, { readOnly: true }).catch((error: unknown) => {
    if (KayaError.is(error, "KAYA_NOT_FOUND")) return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const bytes = new Uint8Array(NOTE_BYTES);
    return parseNote(bytes.subarray(0, await file.readAt(0, bytes)));
  } finally {
    await file.close();
  }
}
