import { KayaError } from "@kaya/core";
import type { DiskLock } from "../disk.js";
import { checkMark } from "../lock-mark.js";
import { formatNote } from "../lock-note.js";
import type { SimInode } from "./sim-inode.js";

/** How the next holder finds a lock: what `DiskLock` tells it. */
export type LockLeft = Pick<DiskLock, "cleanStart" | "mark">;

export const UNCLEAN: LockLeft = { cleanStart: false, mark: undefined };
const RESTARTED: LockLeft = { cleanStart: true, mark: undefined };

/** Who holds which lock, and how the last holder left it. */
export class SimLocks {
  readonly #left = new Map<string, LockLeft>();
  readonly #held = new Set<string>();

  /** Takes the lock, and gives how it was left. */
  take(path: string): LockLeft {
    if (this.#held.has(path)) {
      throw new KayaError("KAYA_LOCK_CONFLICT", `${path} is held: only one may have the directory open`);
    }
    const left = this.#left.get(path) ?? UNCLEAN;
    this.#held.add(path);
    this.#left.set(path, UNCLEAN);
    return left;
  }

  /** How things stand for a fork, which has no holders: they are as good as killed. */
  fork(): SimLocks {
    const fork = new SimLocks();
    for (const [path, left] of this.#left) fork.#left.set(path, left);
    return fork;
  }

  /** Every lock that was ever taken, with what its next holder will be told. */
  *states(): Generator<readonly [path: string, left: LockLeft]> {
    yield* this.#left;
  }

  leave(path: string, left: LockLeft): void {
    this.#held.delete(path);
    this.#left.set(path, left);
  }

  /** The holders died: by a kill, which leaves the page cache as it was, or by a crash, which leaves none. */
  dropAll(how: "killed" | "crashed"): void {
    this.#held.clear();
    if (how === "crashed") for (const path of this.#left.keys()) this.#left.set(path, RESTARTED);
  }
}

export class SimLock implements DiskLock {
  readonly cleanStart: boolean;
  readonly mark: string | undefined;
  readonly #leave: (left: LockLeft) => void;
  #released = false;

  constructor(left: LockLeft, leave: (left: LockLeft) => void) {
    this.cleanStart = left.cleanStart;
    this.mark = left.mark;
    this.#leave = leave;
  }

  async release(options?: { readonly clean?: boolean; readonly mark?: string }): Promise<void> {
    checkMark(options?.mark);
    if (this.#released) return;
    this.#released = true;
    this.#leave(options?.clean === true ? { cleanStart: true, mark: options.mark } : UNCLEAN);
  }
}

/** The note that the lock file holds for those who look without the lock. What the next holder is told stands in `SimLocks`. */
export function putNote(inode: SimInode, { cleanStart, mark }: LockLeft): void {
  inode.truncate(0);
  inode.write(0, formatNote({ pid: 1, boot: "unknown", state: cleanStart ? "clean" : "open", mark }));
  inode.sync();
}
