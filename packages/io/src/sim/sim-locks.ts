import { KayaError } from "@kaya/core";
import type { DiskLock, ReleaseOptions } from "../disk.js";
import { readRelease } from "../lock-mark.js";
import { formatNote } from "../lock-note.js";
import type { SimInode } from "./sim-inode.js";

/** How the next holder finds a lock, as `DiskLock` reports it. */
export type LockLeft = Omit<DiskLock, "release">;

const NEVER_HELD: LockLeft = { cleanStart: false, mark: undefined, lastMark: undefined };

/** A mark was synced when it was left, and later notes include it: no crash takes it. */
function unclean({ lastMark }: LockLeft): LockLeft {
  return { cleanStart: false, mark: undefined, lastMark };
}

/** The holder of each lock, and how the last holder left it. */
export class SimLocks {
  readonly #left = new Map<string, LockLeft>();
  readonly #held = new Set<string>();

  /** Takes the lock, and tells how it was left. */
  take(path: string): LockLeft {
    if (this.#held.has(path)) {
      throw new KayaError("KAYA_LOCK_CONFLICT", `${path} is held: only one may have the directory open`);
    }
    const left = this.#left.get(path) ?? NEVER_HELD;
    this.#held.add(path);
    this.#left.set(path, unclean(left));
    return left;
  }

  /** The lock file is gone, with its mark. */
  forgetMarks(path: string): void {
    const left = this.#left.get(path);
    if (left !== undefined) this.#left.set(path, { ...left, mark: undefined, lastMark: undefined });
  }

  /** The state for a fork, which has no holders: they count as killed. */
  fork(): SimLocks {
    const fork = new SimLocks();
    for (const [path, left] of this.#left) fork.#left.set(path, left);
    return fork;
  }

  /** Every lock that was ever taken, and how its next holder finds it. */
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
  readonly #leave: (left: LockLeft, remove: boolean) => void;
  #released = false;

  constructor(left: LockLeft, leave: (left: LockLeft, remove: boolean) => void) {
    this.cleanStart = left.cleanStart;
    this.mark = left.mark;
    this.lastMark = left.lastMark;
    this.#leave = leave;
  }

  async release(options?: ReleaseOptions): Promise<void> {
    const { clean, mark, remove } = readRelease(options);
    if (this.#released) return;
    this.#released = true;
    const last = mark ?? this.lastMark;
    this.#leave(clean ? { cleanStart: true, mark: last, lastMark: last } : unclean(this), remove);
  }
}

/** The note in the lock file, for readers without the lock. The next holder gets its state from `SimLocks`. */
export function putNote(inode: SimInode, { cleanStart, lastMark }: LockLeft): void {
  inode.truncate(0);
  inode.write(
    0,
    formatNote({ pid: 1, boot: "unknown", state: cleanStart ? "clean" : "open", mark: lastMark }),
  );
  inode.sync();
}
