import type { EngineConfig, LogPosition } from "@kaya/core";
import type { FlushSource } from "@kaya/lsm";
import type { WalRecord } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import { flushSource } from "./flush-source.js";
import { mostBytesOf } from "./flushes.js";

/** Writes what a memtable had into a table that no manifest names yet. */
export type Stage = (source: FlushSource, covered: LogPosition) => Promise<void>;

/** Replays a log on top of tables. A log that does not fit a memtable becomes tables meanwhile: it needs no more memory than one. */
export class StagedReplay {
  readonly #applied: AppliedLog;
  readonly #mostBytes: number;
  readonly #stage: Stage;

  constructor(applied: AppliedLog, config: EngineConfig, stage: Stage) {
    this.#applied = applied;
    this.#mostBytes = mostBytesOf(config);
    this.#stage = stage;
  }

  /** For the next record in LSN order. The next one comes once the promise has resolved. */
  replay(record: WalRecord): Promise<void> | undefined {
    const turn = this.#applied.replay(record);
    if (turn !== undefined) return turn.then(() => this.#stageIfFull());
    return this.#isFull ? this.stage() : undefined;
  }

  /** Makes a table of what is in the memtable, however little that is. */
  async stage(): Promise<void> {
    const { memtable, position } = this.#applied.sealNow();
    const snapshot = memtable.snapshot();
    try {
      await this.#stage(flushSource(snapshot), position);
    } finally {
      snapshot.release();
    }
    this.#applied.store.forgetSealed();
  }

  get #isFull(): boolean {
    return this.#applied.store.active.usedBytes >= this.#mostBytes;
  }

  async #stageIfFull(): Promise<void> {
    if (this.#isFull) await this.stage();
  }
}
