import { KayaError } from "@kaya/core";
import type { DiskLock, ReleaseOptions } from "../disk.js";
import { readRelease } from "../lock-mark.js";
import { formatNote } from "../lock-note.js";
import type { SimInode } from "./sim-inode.js";

/** How the next holder finds a lock: what `DiskLock` tells it. */
export type LockLeft = Omit<DiskLock, "release">;

const NEVER_HELD: LockLeft = { cleanStart: false, mark: undefined, lastMark: undefined };

/** A mark was synced when it was left, and what is written over it later holds it too: no crash takes it away. */
function unclean({ lastMark }: LockLeft): LockLeft {
  return { cleanStart: false, mark: undefined, lastMark };
}

/** Who holds which lock, and how the last holder left it. */
export class SimLocks {
  readonly #left = new Map<string, LockLeft>();
  readonly #held = new Set<string>();

  /** Takes the lock, and gives how it was left. */
  take(path: string): LockLeft {
    if (this.#held.has(path)) {
      throw new KayaError("KAYA_LOCK_CONFLICT", `${path} is held: only one may have the directory open`);
    }
    const left = this.#left.get(path) ?? NEVER_HELD;
    this.#held.add(path);
    this.#left.set(path, unclean(left));
    return left;
  }

  /** The lock file is gone, and what it said of marks with it. */
  forgetMarks(path: string): void {
    const left = this.#left.get(path);
    if (left !== undefined) this.#left.set(path, { ...left, mark: undefined, lastMark: undefined });
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

  /** The holders died, by a kill or by a crash. */
  dropAll(): void {
    this.#held.clear();
  }
}

export class SimLock implements DiskLock {
  readonly cleanStart: boolean;
  readonly mark: string | undefined;
  readonly lastMark: string | undefined;
  readonly #leave: (left: LockLeft) => void;
  #released = false;

  constructor(left: LockLeft, leave: (left: LockLeft) => void) {
    this.cleanStart = left.cleanStart;
    this.mark = left.mark;
    this.lastMark = left.lastMark;
    this.#leave = leave;
  }

  async release(options?: ReleaseOptions): Promise<void> {
    const { clean, mark } = readRelease(options);
    if (this.#released) return;
    this.#released = true;
    const last = mark ?? this.lastMark;
    this.#leave(clean ? { cleanStart: true, mark: last, lastMark: last } : unclean(this));
  }
}

/** The note that the lock file holds for those who look without the lock. What the next holder is told stands in `SimLocks`. */
export function putNote(inode: SimInode, { cleanStart, lastMark }: LockLeft): void {
  inode.truncate(0);
  inode.write(
    0,
    formatNote({ pid: 1, boot: "unknown", state: cleanStart ? "clean" : "open", mark: lastMark }),
  );
  inode.sync();
}
