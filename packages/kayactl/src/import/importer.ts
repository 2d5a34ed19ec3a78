import type { Engine } from "@kaya/engine";
import { invalid } from "../bytes.js";
import type { EntryCheck } from "./entry-check.js";
import { type ImportEntry, type ImportSource, placeIn } from "./import-source.js";

/** Of one batch, which is one record of the log. */
const BATCH_BYTES = 1024 * 1024;
const BATCH_ENTRIES = 1000;
/** More than a record has for each entry besides its key and value. */
const ENTRY_BYTES = 32;
/** Batches under way share an fsync. */
const MOST_UNDER_WAY = 4;

export interface ImportOptions {
  readonly check: EntryCheck;
  /** Leaves keys alone that have a value. */
  readonly skipExisting: boolean;
  /** When entries go away that do not say so themselves, in milliseconds since 1970. */
  readonly expiresAt: number | undefined;
  /** Most bytes of a record. */
  readonly maxRecordBytes: number;
  readonly now: () => number;
}

/** What was done with the entries that were read. */
export interface ImportCounts {
  readonly entries: number;
  /** Entries that were put, those included that had expired. */
  readonly written: number;
  /** Entries that were left out, because their key had a value. */
  readonly skipped: number;
  /** Entries that had expired by then: they leave their keys without a value. */
  readonly expired: number;
  /** Of keys and values that were put. */
  readonly bytes: number;
}

interface Put {
  readonly type: "put";
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly expiresAt?: number;
}

/** The store that entries are written to. */
export interface ImportTarget {
  /** Undefined while there is no store. */
  readonly engine: Engine | undefined;
  /** Called before each batch: makes the store if there is none. Undefined: nothing is written. */
  readonly open: (() => Promise<Engine>) | undefined;
}

/** Writes entries in batches, in their order, and knows up to which of them everything is durable. */
export class Importer {
  readonly #source: Pick<ImportSource, "unit" | "name">;
  readonly #target: ImportTarget;
  readonly #options: ImportOptions;
  readonly #batchBytes: number;
  readonly #underWay: Promise<void>[] = [];
  #batch: Put[] = [];
  /** That a record takes for `#batch`. */
  #bytes = 0;
  /** Of `#batch`, where keys that have a value are left alone. */
  #keys = new Set<string>();
  readonly #counts = { entries: 0, written: 0, skipped: 0, expired: 0, bytes: 0 };
  #failure: unknown;
  /** Of the last entry that was given, that is written, and that is on stable storage. */
  #given = 0;
  #written = 0;
  #durable = 0;

  constructor(source: Pick<ImportSource, "unit" | "name">, target: ImportTarget, options: ImportOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#batchBytes = Math.min(BATCH_BYTES, Math.floor(options.maxRecordBytes / 2));
  }

  get counts(): ImportCounts {
    return this.#counts;
  }

  /** Everything up to this place is on stable storage, or was left out because its key had a value. 0: nothing. */
  get durablePlace(): number {
    return this.#durable;
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT for one that cannot be written; else as `Engine.batch` rejects */
  async add(entries: readonly ImportEntry[]): Promise<void> {
    for (const entry of entries) {
      const problem = this.#options.check.problemOf(entry);
      if (problem !== undefined) throw invalid(`${placeIn(this.#source, entry.place)} ${problem}`);
      const size = entry.key.length + entry.value.length + ENTRY_BYTES;
      const isFull = this.#batch.length >= BATCH_ENTRIES || this.#bytes + size > this.#batchBytes;
      if (this.#batch.length > 0 && isFull) await this.#send();
      this.#take(entry, size);
    }
  }

  /** Writes what is left, and waits until all of it is on stable storage. @throws KayaError as `Engine.batch` rejects */
  async finish(): Promise<void> {
    try {
      if (this.#batch.length > 0) await this.#send();
    } finally {
      await this.#settleAll();
    }
    if (this.#failure !== undefined) throw this.#failure;
    await this.#syncWritten();
    this.#durable = this.#given;
  }

  /** After an error, which is the one to tell: what was given before it is brought to its end, as far as that goes. */
  async settle(): Promise<void> {
    await this.finish()
      .catch(() => this.#syncWritten())
      .catch(() => undefined);
  }

  #take({ key, value, expiresAt = this.#options.expiresAt, place }: ImportEntry, size: number): void {
    this.#given = place;
    this.#counts.entries++;
    const isExpired = expiresAt !== undefined && expiresAt <= this.#options.now();
    if (isExpired) this.#counts.expired++;
    if (this.#options.skipExisting) {
      // It would hide nothing, and be hidden itself.
      if (isExpired) return;
      const name = Buffer.from(key).toString("latin1");
      if (this.#keys.has(name)) {
        this.#counts.skipped++;
        return;
      }
      this.#keys.add(name);
    }
    this.#batch.push({ type: "put", key, value, ...(expiresAt !== undefined && { expiresAt }) });
    this.#bytes += size;
  }

  /** A batch that does not get as far as the engine is a failure too: nothing behind it counts. */
  async #send(): Promise<void> {
    try {
      await this.#begin();
    } catch (error) {
      await this.#settleAll(); // what is under way came before it
      this.#failure ??= error;
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const [batch, place] = [this.#batch, this.#given];
    [this.#batch, this.#bytes] = [[], 0];
    this.#keys = new Set();
    // What is under way may be what gives a key its value.
    const most = this.#options.skipExisting ? 0 : MOST_UNDER_WAY - 1;
    while (this.#underWay.length > most) await this.#underWay.shift();
    if (this.#failure !== undefined) throw this.#failure;
    // Before the look at keys: another program may have made the store since the import began, and put values into it.
    const engine = await this.#target.open?.();
    const puts = this.#options.skipExisting ? await this.#newOnes(batch) : batch;
    this.#counts.skipped += batch.length - puts.length;
    this.#counts.written += puts.length;
    for (const { key, value } of puts) this.#counts.bytes += key.length + value.length;
    if (engine === undefined) return;
    if (puts.length === 0) {
      this.#wrote(place, this.#durable === this.#written);
      return;
    }
    await engine.ready();
    const writing = engine.batch(puts).then(
      ({ durable }) => this.#wrote(place, durable),
      (error: unknown) => {
        this.#failure ??= error;
      },
    );
    this.#underWay.push(writing);
  }

  async #newOnes(batch: readonly Put[]): Promise<Put[]> {
    const values = (await this.#target.engine?.getMany(batch.map(({ key }) => key))) ?? [];
    return batch.filter((_, index) => values[index] === undefined);
  }

  #wrote(place: number, isDurable: boolean): void {
    // Nothing counts behind a batch that failed.
    if (this.#failure !== undefined) return;
    this.#written = place;
    if (isDurable) this.#durable = place;
  }

  async #settleAll(): Promise<void> {
    while (this.#underWay.length > 0) await this.#underWay.shift();
  }

  /** Where writes did not wait for the disk. */
  async #syncWritten(): Promise<void> {
    if (this.#durable === this.#written) return;
    await this.#target.engine?.sync();
    this.#durable = this.#written;
  }
}
