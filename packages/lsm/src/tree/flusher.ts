import { setImmediate } from "node:timers/promises";
import { KayaError, type LogPosition, type SequenceNumber } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { OutputTable } from "../compaction/output-table.js";
import type { EntryKind, RangeTombstone } from "../entry.js";
import type { TableMeta } from "../manifest/manifest-state.js";
import type { VersionSet } from "../version/version-set.js";
import { type FlushResult, tellFlush } from "./channels.js";
import type { Compactor } from "./compactor.js";
import { formatOf, type ResolvedLsmOptions } from "./options.js";
import type { Counters } from "./stats.js";

/** An entry that is flushed. Its bytes are not needed after the next one was asked for. */
export interface FlushEntry {
  readonly key: Uint8Array;
  readonly kind: EntryKind;
  readonly sequence: SequenceNumber;
  readonly value: Uint8Array;
}

/** What is flushed: what came since the last flush, and nothing older. */
export interface FlushSource {
  /** In key order, each key once. */
  readonly entries: Iterable<FlushEntry> | AsyncIterable<FlushEntry>;
  /** In any order. */
  readonly rangeTombstones?: Iterable<RangeTombstone>;
}

/** Keys and values that are written before others have their turn: a millisecond or two. */
const STEP_BYTES = 64 * 1024;

/** Writes tables of level 0, one after the other: which is newer is told by its id. */
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

  /** Waits for those that are under way. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  async #flush(source: FlushSource, covered: LogPosition): Promise<FlushResult> {
    const before = this.#versions.covered;
    if (covered.lsn < before.lsn || covered.sequence < before.sequence) {
      throw invalid(
        `a flush covers LSN ${covered.lsn} and sequence ${covered.sequence}, and the tables have ${before.lsn} and ${before.sequence} already`,
      );
    }
    await this.#waitForRoom();
    const table = await this.#write(source, before.sequence, covered.sequence);
    const made = table === undefined ? [] : [table];
    await this.#versions.publish({ made, added: made.map((each) => ({ level: 0, table: each })), covered });
    this.#counters.flushes++;
    this.#counters.flushedBytes += table?.fileBytes ?? 0;
    this.#compactor.schedule();
    return { bytes: table?.fileBytes ?? 0, entries: table?.entries ?? 0, covered };
  }

  /** Undefined where there is nothing to write. */
  async #write(
    { entries, rangeTombstones = [] }: FlushSource,
    above: SequenceNumber,
    upTo: SequenceNumber,
  ): Promise<TableMeta | undefined> {
    let output: OutputTable | undefined;
    let bytes = 0;
    const add = (entry: FlushEntry): Promise<void> | void => {
      checkSequence(entry.sequence, above, upTo);
      bytes += entry.key.length + entry.value.length;
      if (output === undefined || bytes >= STEP_BYTES) return addAfterRest(entry);
      return output.add(entry.key, entry.kind, entry.sequence, entry.value);
    };
    const addAfterRest = async ({ key, kind, sequence, value }: FlushEntry): Promise<void> => {
      if (bytes >= STEP_BYTES) await setImmediate(); // others have their turn
      bytes = 0;
      output ??= await this.#create();
      await output.add(key, kind, sequence, value);
    };
    try {
      await forEach(entries, add);
      for (const tombstone of rangeTombstones) {
        checkSequence(tombstone.sequence, above, upTo);
        output ??= await this.#create();
        output.addRangeTombstone(tombstone);
      }
      return await output?.finish();
    } catch (error) {
      await output?.abandon().catch(() => undefined); // an orphan for the next opening
      throw error;
    }
  }

  async #create(): Promise<OutputTable> {
    const id = this.#versions.reserveIds(1);
    return OutputTable.create(this.#disk, id, formatOf(this.#options), this.#options.randomSeed());
  }

  /** While level 0 is full and compaction gets on, writers wait for it. Where it fails they need not: waiting would not help. */
  async #waitForRoom(): Promise<void> {
    const isFull = () => (this.#versions.current.levels[0]?.length ?? 0) >= this.#options.level0Stop;
    if (!isFull() || !this.#compactor.isRunning) return;
    const started = performance.now();
    while (isFull() && this.#compactor.isRunning) await this.#compactor.turn();
    this.#counters.stalls++;
    this.#counters.stalledMs += performance.now() - started;
  }
}

/** What needs no waiting does not wait: a promise for each entry would take longer than the entry. */
async function forEach(
  entries: FlushSource["entries"],
  add: (entry: FlushEntry) => Promise<void> | void,
): Promise<void> {
  if (Symbol.asyncIterator in entries) {
    for await (const entry of entries) await add(entry);
    return;
  }
  for (const entry of entries) {
    const added = add(entry);
    if (added !== undefined) await added;
  }
}

function checkSequence(sequence: SequenceNumber, above: SequenceNumber, upTo: SequenceNumber): void {
  if (sequence > above && sequence <= upTo) return;
  throw invalid(
    `what is flushed has sequence ${sequence}: it must be above ${above}, which the tables have, and at most ${upTo}, which the flush covers`,
  );
}

function invalid(message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", `${message}.`);
}
