import type { Disk } from "@kaya/io";
import type { ScanProgress } from "@kaya/wal";
import type { CheckpointFile } from "./checkpoint/checkpoint-files.js";

/** Tells of the checkpoint and of the log behind it as one. */
export class RecoveryProgress {
  readonly #checkpointBytes: number;
  readonly #logBytes: number;
  readonly #tell: (progress: ScanProgress) => void;

  private constructor(checkpointBytes: number, logBytes: number, tell: (progress: ScanProgress) => void) {
    this.#checkpointBytes = checkpointBytes;
    this.#logBytes = logBytes;
    this.#tell = tell;
  }

  static async of(
    disk: Disk,
    checkpoint: CheckpointFile | undefined,
    tell: (progress: ScanProgress) => void,
  ): Promise<RecoveryProgress> {
    const files = checkpoint === undefined ? [] : await disk.list("wal");
    const logBytes = files.reduce((sum, { path, length }) => sum + (path.endsWith(".wal") ? length : 0), 0);
    return new RecoveryProgress(checkpoint?.bytes ?? 0, logBytes, tell);
  }

  ofCheckpoint(bytes: number): void {
    this.#tell({ bytes, totalBytes: this.#checkpointBytes + this.#logBytes, records: 0 });
  }

  ofLog({ bytes, totalBytes, records }: ScanProgress): void {
    this.#tell({
      bytes: this.#checkpointBytes + bytes,
      totalBytes: this.#checkpointBytes + totalBytes,
      records,
    });
  }
}
