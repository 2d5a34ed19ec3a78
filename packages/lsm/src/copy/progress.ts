/** How far a copy is. */
export interface TreeCopyProgress {
  /**
   * Bytes of the copy that are written and read back so far; of a table that is being written, half of its
   * bytes count.
   */
  readonly bytes: number;
  /** Bytes of the copy as far as they are known. Tables that are added later come on top. */
  readonly totalBytes: number;
  /** How many tables were copied and read back. */
  readonly copiedTables: number;
  /** How many tables of an earlier copy were kept and read back. */
  readonly reusedTables: number;
}

/** Counts progress. The reported numbers never go back. */
export class CopyProgress {
  readonly #onProgress: ((progress: TreeCopyProgress) => void) | undefined;
  #totalBytes: number;
  #done = 0;
  #ofTable = 0;
  #told = 0;
  #copied = 0;
  #reused = 0;

  /** @param totalBytes of the tables that are known already */
  constructor(totalBytes: number, onProgress: ((progress: TreeCopyProgress) => void) | undefined) {
    this.#totalBytes = totalBytes;
    this.#onProgress = onProgress;
  }

  /** Work on a table begins, perhaps once more. */
  begins(): void {
    this.#ofTable = 0;
  }

  moved(bytes: number): void {
    this.#ofTable += bytes;
    this.#tell();
  }

  finished(fileBytes: number, how: "copied" | "reused"): void {
    this.#ofTable = 0;
    this.#done += fileBytes;
    if (how === "copied") this.#copied++;
    else this.#reused++;
    this.#tell();
  }

  /** A table that was not known before is done. */
  added(fileBytes: number): void {
    this.#totalBytes += fileBytes;
    this.finished(fileBytes, "copied");
  }

  #tell(): void {
    this.#told = Math.max(this.#told, Math.min(Math.floor(this.#done + this.#ofTable), this.#totalBytes));
    this.#onProgress?.({
      bytes: this.#told,
      totalBytes: this.#totalBytes,
      copiedTables: this.#copied,
      reusedTables: this.#reused,
    });
  }
}
