import type { LogPosition } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { OutputTable } from "../compaction/output-table.js";
import { tablePath } from "../version/table-files.js";
import type { VersionSet } from "../version/version-set.js";
import { type FlushResult, tellFlush } from "./channels.js";
import type { Compactor } from "./compactor.js";
import { formatOf, type ResolvedLsmOptions } from "./options.js";
import type { Counters } from "./stats.js";
import { checkCovers, type FlushSource, writeFlush } from "./write-flush.js";

/** Writes tables of level 0, one after the other: a higher id is newer. */
export class Flusher {
  readonly #disk: Disk;
  readonly #versions: VersionSet;
  readonly #options: ResolvedLsmOptions;
  readonly #compactor: Compactor;
  readonly #counters: Counters;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    disk: Disk,
    versions: VersionSet,
    options: ResolvedLsmOptions,
    compactor: Compactor,
    counters: Counters,
  ) {
    this.#disk = disk;
    this.#versions = versions;
    this.#options = options;
    this.#compactor = compactor;
    this.#counters = counters;
  }

  /** `LsmTree.flush`. */
  flush(source: FlushSource, covered: LogPosition): Promise<FlushResult> {
    const result = this.#turn.then(() => tellFlush(this.#disk.root, () => this.#flush(source, covered)));
    this.#turn = result.catch(() => undefined); // the caller has the rejection
    return result;
  }

  /** Waits for flushes under way. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  async #flush(source: FlushSource, covered: LogPosition): Promise<FlushResult> {
    const before = this.#versions.covered;
    checkCovers(before, covered);
    await this.#waitForRoom();
    const bounds = { above: before.sequence, upTo: covered.sequence };
    const table = await writeFlush(source, bounds, this.#options.now(), () => this.#create());
    const made = table === undefined ? [] : [table];
    await this.#versions.publish({ made, added: made.map((each) => ({ level: 0, table: each })), covered });
    this.#counters.flushes++;
    this.#counters.flushedBytes += table?.fileBytes ?? 0;
    this.#compactor.schedule();
    return { bytes: table?.fileBytes ?? 0, entries: table?.entries ?? 0, covered };
  }

  async #create(): Promise<OutputTable> {
    const id = this.#versions.reserveIds(1);
    const place = { id, path: tablePath(id) };
    return OutputTable.create(this.#disk, place, formatOf(this.#options), this.#options.randomSeed());
  }

  /** While level 0 is full and compaction makes progress, writers wait for it. If it fails they do not: waiting would not help. */
  async #waitForRoom(): Promise<void> {
    const isFull = () => (this.#versions.current.levels[0]?.length ?? 0) >= this.#options.level0Stop;
    if (!isFull() || !this.#compactor.isRunning) return;
    const started = performance.now();
    while (isFull() && this.#compactor.isRunning) await this.#compactor.turn();
    this.#counters.stalls++;
    this.#counters.stalledMs += performance.now() - started;
  }
}
