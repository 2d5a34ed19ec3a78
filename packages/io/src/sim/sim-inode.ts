import type { FailedSyncOutcome } from "./faults.js";
import { GrowableBytes } from "./growable-bytes.js";
import type { Serial } from "./serial.js";

/** A change of a file that is in the page cache only. Immutable: forks share it. */
export type DataOperation =
  | { readonly kind: "write"; readonly id: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly id: number; readonly length: number };

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * The bytes of a file: `live` is read, `stable` is on the disk, and a sync would apply the pending operations to `stable`.
 *
 * After a failed sync `live` may have bytes that are neither in `stable` nor pending. They read back, no later sync writes them (the kernel
 * has marked their pages clean), and a crash takes them. Only writing the same range again makes them pending; a synced write behind them
 * leaves a hole in `stable`.
 */
export class SimInode {
  readonly #serial: Serial;
  #live = new GrowableBytes();
  #stable = new GrowableBytes();
  #pending: DataOperation[] = [];
  #hasPhantoms = false;
  #unreadable: readonly Range[] = [];

  constructor(serial: Serial) {
    this.#serial = serial;
  }

  /** The same file on a fork of the disk, whose serial this is. */
  fork(serial: Serial): SimInode {
    const fork = new SimInode(serial);
    fork.#live = this.#live.copy();
    fork.#stable = this.#stable.copy();
    fork.#pending = this.#pending.slice();
    fork.#hasPhantoms = this.#hasPhantoms;
    fork.#unreadable = this.#unreadable;
    return fork;
  }

  get length(): number {
    return this.#live.length;
  }

  get live(): Pick<GrowableBytes, "digest"> {
    return this.#live;
  }

  get stable(): Pick<GrowableBytes, "length" | "digest"> {
    return this.#stable;
  }

  /** The operations that a sync would bring to the disk. */
  get pending(): readonly DataOperation[] {
    return this.#pending;
  }

  read(position: number, into: Uint8Array): number {
    return this.#live.read(position, into);
  }

  liveBytes(): Uint8Array {
    return this.#live.slice();
  }

  stableBytes(): Uint8Array {
    return this.#stable.slice();
  }

  /** Keeps `bytes`: they must be the inode's own. */
  write(position: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#live.write(position, bytes);
    this.#pending.push({ kind: "write", id: this.#serial.next(), position, bytes });
  }

  truncate(length: number): void {
    this.#live.truncate(length);
    this.#pending.push({ kind: "truncate", id: this.#serial.next(), length });
  }

  sync(): void {
    for (const operation of this.#pending) apply(operation, this.#stable);
    this.#pending = [];
  }

  failSync(outcome: FailedSyncOutcome): void {
    if (outcome === "kept") this.sync(); // after it nothing is pending
    this.#hasPhantoms ||= this.#pending.length > 0;
    this.#pending = [];
    if (outcome === "lost") this.#dropCache();
  }

  /** `settle` applies the surviving part of each pending operation to the stable bytes. */
  crash(settle: (operation: DataOperation, stable: GrowableBytes) => void): void {
    if (this.#pending.length === 0 && !this.#hasPhantoms) return;
    for (const operation of this.#pending) settle(operation, this.#stable);
    this.#pending = [];
    this.#dropCache();
  }

  /** Changes a byte without an operation, as a failing medium does. */
  damage(position: number, mask: number): void {
    for (const image of [this.#live, this.#stable]) {
      const byte = new Uint8Array(1);
      if (image.read(position, byte) === 1)
        image.write(
          position,
          byte.map((value) => value ^ mask),
        );
    }
  }

  /** From now on every read of these bytes fails, whatever is written there. */
  breakRange(from: number, to: number): void {
    this.#unreadable = [...this.#unreadable, { from, to }];
  }

  canRead(position: number, length: number): boolean {
    return !this.#unreadable.some(({ from, to }) => position < to && from < position + length);
  }

  get unreadable(): readonly Range[] {
    return this.#unreadable;
  }

  #dropCache(): void {
    this.#live = this.#stable.copy();
    this.#hasPhantoms = false;
  }
}

/** Applies a whole operation to `image`. */
export function apply(operation: DataOperation, image: GrowableBytes): void {
  if (operation.kind === "write") image.write(operation.position, operation.bytes);
  else image.truncate(operation.length);
}
