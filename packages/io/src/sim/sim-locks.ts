import { KayaError } from "@kaya/core";
import type { DiskLock, ReleaseOptions } from "../disk.js";
import { readRelease } from "../lock-mark.js";

/** How the next holder finds a lock: what `DiskLock` tells it. */
export type LockLeft = Pick<DiskLock, "cleanStart" | "mark">;

const UNCLEAN: LockLeft = { cleanStart: false, mark: undefined };

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

  /** The holders died, by a kill or by a crash. */
  dropAll(): void {
    this.#held.clear();
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

  async release(options?: ReleaseOptions): Promise<void> {
    const { clean, mark } = readRelease(options);
    if (this.#released) return;
    this.#released = true;
    this.#leave(clean ? { cleanStart: true, mark } : UNCLEAN);
  }
}
