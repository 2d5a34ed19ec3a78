import { KayaError } from "@kaya/core";
import type { DiskLock } from "../disk.js";

type LockState = "held" | "dirty" | "clean";

/** Who holds which lock, and how the last holder left it. */
export class SimLocks {
  readonly #states = new Map<string, LockState>();

  /** Takes the lock and gives `cleanStart`. */
  take(path: string): boolean {
    const previous = this.#states.get(path);
    if (previous === "held") {
      throw new KayaError("KAYA_LOCK_CONFLICT", `${path} is held: only one may have the directory open`);
    }
    this.#states.set(path, "held");
    return previous === "clean";
  }

  leave(path: string, clean: boolean): void {
    this.#states.set(path, clean ? "clean" : "dirty");
  }

  /** The holders died: by a kill, which leaves the page cache as it was, or by a crash, which leaves none. */
  dropAll(how: "killed" | "crashed"): void {
    for (const [path, state] of this.#states) {
      if (how === "crashed") this.#states.set(path, "clean");
      else if (state === "held") this.#states.set(path, "dirty");
    }
  }
}

export class SimLock implements DiskLock {
  readonly cleanStart: boolean;
  readonly #leave: (clean: boolean) => void;
  #released = false;

  constructor(cleanStart: boolean, leave: (clean: boolean) => void) {
    this.cleanStart = cleanStart;
    this.#leave = leave;
  }

  async release(options?: { readonly clean?: boolean }): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#leave(options?.clean === true);
  }
}
