import type { Snapshot } from "../snapshot.js";
import { type ViewFormat, ViewReader } from "./view-reader.js";

/** A view as it was when the snapshot was made. Close it: until then it pins a memtable in memory, and files of tables. */
export class ViewSnapshot<K, V, P = never, X = Record<never, never>> extends ViewReader<K, V, P, X> {
  readonly #snapshot: Snapshot;

  /** @internal Made by `View.snapshot`. */
  constructor(snapshot: Snapshot, format: ViewFormat<K, V, never, P>) {
    super(snapshot, format);
    this.#snapshot = snapshot;
  }

  /** Doing it again is fine; anything else afterwards is KAYA_CLOSED. */
  close(): void {
    this.#snapshot.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
