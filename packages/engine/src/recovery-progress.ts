import type { Disk } from "@kaya/io";
import type { ScanProgress } from "@kaya/wal";
import type { CheckpointFile } from "./checkpoint/checkpoint-files.js";

/** How far an opening is: the bytes are those of the checkpoint and of the log behind it, the records those of the log. */
export interface RecoveryProgress extends ScanProgress {
  /** What is being read. */
  readonly reading: "checkpoint" | "log";
}

/** Tells of the checkpoint and of the log behind it as one. */
export class ProgressTeller {
  readonly #checkpointBytes: number;
  readonly #logBytes: number;
  readonly #tell: (progress: RecoveryProgress) => void;

  private constructor(checkpointBytes: number, logBytes: number, tell: (progress: RecoveryProgress) => void) {
    this.#checkpointBytes = checkpointBytes;
    this.#logBytes = logBytes;
    this.#tell = tell;
  }

  static async of(
    disk: Disk,
    checkpoint: CheckpointFile | undefined,
    tell: (progress: RecoveryProgress) => void,
  ): Promise<ProgressTeller> {
    const files = checkpoint === undefined ? [] : await disk.list("wal");
    const logBytes = files.reduce((sum, { path, length }) => sum + (path.endsWith(".wal") ? length : 0), 0);
    return new ProgressTeller(checkpoint?.bytes ?? 0, logBytes, tell);
  }

  ofCheckpoint(bytes: number): void {
    const totalBytes = this.#checkpointBytes + this.#logBytes;
    this.#tell({ reading: "checkpoint", bytes, totalBytes, records: 0 });
  }

  ofLog({ bytes, totalBytes, records }: ScanProgress): void {
    this.#tell({
      reading: "log",
      bytes: this.#checkpointBytes + bytes,
      totalBytes: this.#checkpointBytes + totalBytes,
      records,
    });
  }
}
