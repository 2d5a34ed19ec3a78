import { type Disk, Random, type SimDisk } from "@kaya/io";
import { readManifest } from "@kaya/lsm";
import { inspectWal, isWarning } from "@kaya/wal";
import { type BatchOperation, Engine, type PartialEngineConfig } from "../../src/index.js";
import { entriesOf } from "./text.js";

/** Segments of a handful of records, and flushes only when told. */
export const TINY: PartialEngineConfig = {
  wal: { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 },
  tables: { autoFlush: false },
};

/** What an engine showed behind each record. */
export interface RecordedState {
  readonly entries: readonly (readonly [key: string, value: string])[];
  /** Of the last operation. */
  readonly sequence: number;
}

/** A store that writes at random, and remembers its state as of each LSN. */
export class RecordedHistory {
  /** By LSN; before the first record nothing is there. */
  readonly states: RecordedState[] = [{ entries: [], sequence: 0 }];
  readonly #disk: Disk;
  readonly #random: Random;
  #engine: Engine;

  private constructor(disk: Disk, random: Random, engine: Engine) {
    this.#disk = disk;
    this.#random = random;
    this.#engine = engine;
  }

  static async begin(disk: Disk, seed: number): Promise<RecordedHistory> {
    return new RecordedHistory(disk, new Random(seed), await Engine.open(TINY, disk));
  }

  get engine(): Engine {
    return this.#engine;
  }

  get lastLsn(): number {
    return this.states.length - 1;
  }

  /** Writes, each with its own LSN; now and then a flush or a reopening between them. */
  async run(writes: number): Promise<void> {
    for (let i = 0; i < writes; i++) {
      await this.#write();
      if (this.#random.chance(0.05)) await this.#engine.flush();
      if (this.#random.chance(0.05)) await this.#reopen();
    }
  }

  async #write(): Promise<void> {
    const durability = this.#random.chance(0.5) ? "strict" : "relaxed";
    const count = this.#random.chance(0.3) ? this.#random.below(4) + 1 : 1;
    const operations = Array.from({ length: count }, () => this.#operation());
    const { lsn, sequence } = await this.#engine.batch(operations, { durability });
    this.states[lsn] = {
      entries: await entriesOf(this.#engine.scan()),
      sequence: sequence + operations.length - 1,
    };
  }

  #operation(): BatchOperation {
    const key = `key ${this.#random.below(9)}`;
    if (this.#random.chance(0.3)) return { type: "delete", key };
    return { type: "put", key, value: `${this.lastLsn + 1}`.repeat(this.#random.below(20) + 1) };
  }

  async #reopen(): Promise<void> {
    await this.#engine.close();
    this.#engine = await Engine.open(TINY, this.#disk);
  }
}

/** What a directory's files hold, whichever of them an opening would read. */
export interface FilesOfHistory {
  /** The LSN up to which the tables have everything. */
  readonly covered: number;
  /** Where each record of the log stands. */
  readonly records: ReadonlyMap<number, { readonly path: string; readonly offset: number }>;
}

export async function filesOf(disk: SimDisk): Promise<FilesOfHistory> {
  const records = new Map<number, { path: string; offset: number }>();
  for (const { path } of await disk.list("wal")) {
    for await (const row of inspectWal(disk, path)) {
      if (!isWarning(row)) records.set(row.lsn, { path, offset: row.offset });
    }
  }
  const { state } = await readManifest(disk);
  return { covered: state.covered.lsn, records };
}

/** Whether the tables, or the beginning, and the log behind them lead to this LSN. */
export function isWithinReach(lsn: number, { covered, records }: FilesOfHistory): boolean {
  return [0, covered].some((base) => {
    if (base > lsn) return false;
    for (let next = base + 1; next <= lsn; next++) if (!records.has(next)) return false;
    return true;
  });
}
