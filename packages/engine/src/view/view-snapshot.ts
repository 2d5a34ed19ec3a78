import type { Snapshot } from "../snapshot.js";
import { type ViewFormat, ViewReader } from "./view-reader.js";

/**
 * A view as it was when the snapshot was made. Close it: until then it keeps a memtable in memory and files on
 * the disk.
 */
export class ViewSnapshot<K, V, P = never, X = Record<never, never>> extends ViewReader<K, V, P, X> {
  readonly #snapshot: Snapshot;

  /** @internal Made by `View.snapshot`. */
  constructor(snapshot: Snapshot, format: ViewFormat<K, V, never, P>) {
    super(snapshot, format);
    this.#snapshot = snapshot;
  }

  /**
   * Releases the memory and files that it keeps. A second call does nothing; any other call afterwards is
   * refused with KAYA_CLOSED.
   */
  close(): void {
    this.#snapshot.close();
  }

  /** Closes the snapshot at the end of a `using` block, as `close` does. */
  [Symbol.dispose](): void {
    this.close();
  }
}
