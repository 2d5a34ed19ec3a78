/** How far a copy is. */
export interface TreeCopyProgress {
  /** Of what the copy will have, as far as it is written and read back: of a table that is being written the half counts. */
  readonly bytes: number;
  /** Of what the copy will have, as far as it is known: tables that are added on top come on top. */
  readonly totalBytes: number;
  /** Tables that are done. */
  readonly copiedTables: number;
  /** Those of an earlier copy, of which only reading back is left. */
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
