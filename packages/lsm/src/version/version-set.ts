import { KayaError, type LogPosition } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { BlockCache } from "../cache/block-cache.js";
import type { Manifest } from "../manifest/manifest.js";
import type { ManifestEdit, TableMeta } from "../manifest/manifest-state.js";
import { Table } from "../table/table.js";
import { LiveTable } from "./live-table.js";
import { TABLE_DIR, tablePath } from "./table-files.js";
import { Version } from "./version.js";

/** Tables that are opened at once. */
const OPEN_AT_ONCE = 16;

/** An edit with the tables that were made for it. */
export type Publication = Omit<ManifestEdit, "nextTableId"> & {
  /** Those of `added` whose files are new. Their bytes are durable, their names need not be. */
  readonly made?: readonly TableMeta[];
};

/**
 * The tables that are open, the current version of them, and the only way to the next: an edit of the manifest. A table's file
 * goes once no version has it, and the edit that dropped it is durable.
 */
export class VersionSet {
  readonly #disk: Disk;
  readonly #cache: BlockCache;
  readonly #manifest: Manifest;
  /** The tables of the current version, and those that are being published. */
  readonly #live = new Map<number, LiveTable>();
  #current: Version;
  #nextId: number;
  #isTableDirDurable = false;
  /** Made for edits that failed: whether the manifest names them is uncertain until an edit succeeds. */
  #uncertain: number[] = [];
  #removals: Promise<void> = Promise.resolve();
  #removalsLeft = 0;
  #notRemoved = 0;

  private constructor(disk: Disk, cache: BlockCache, manifest: Manifest, nextId: number) {
    this.#disk = disk;
    this.#cache = cache;
    this.#manifest = manifest;
    this.#nextId = nextId;
    this.#current = new Version([], manifest.state.covered);
  }

  /** @param tables those of the manifest, open */
  static begin(
    disk: Disk,
    cache: BlockCache,
    manifest: Manifest,
    tables: ReadonlyMap<number, Table>,
    nextId: number,
  ): VersionSet {
    const set = new VersionSet(disk, cache, manifest, nextId);
    for (const meta of manifest.state.levels.flat()) {
      const table = tables.get(meta.id);
      if (table === undefined) throw notOpen(meta.id);
      set.#live.set(meta.id, set.#liveTable(meta, table));
    }
    set.#install();
    return set;
  }

  get current(): Version {
    return this.#current;
  }

  get covered(): LogPosition {
    return this.#manifest.state.covered;
  }

  get logIdentity(): string {
    return this.#manifest.state.logIdentity;
  }

  /** Files that no version has, and that are not removed yet; those that could not be are the next opening's. */
  get obsoleteFiles(): number {
    return this.#removalsLeft + this.#notRemoved + this.#uncertain.length;
  }

  /** So many ids that nobody else gets; the first of them. */
  reserveIds(count: number): number {
    const first = this.#nextId;
    this.#nextId += count;
    return first;
  }

  /**
   * Makes an edit durable, and then current. Where it rejects nothing has changed for readers; the files that were made for it
   * are removed, at once or once it is certain that no manifest names them.
   * @throws KayaError as `Manifest.append`, and where what was made cannot be opened
   */
  async publish({ made = [], ...edit }: Publication): Promise<void> {
    try {
      await this.#openMade(made);
      if (made.length > 0) await this.#makeNamesDurable();
    } catch (error) {
      await this.#forget(made);
      await this.removeFiles(made.map(({ id }) => id));
      throw error;
    }
    try {
      await this.#manifest.append({ ...edit, nextTableId: this.#nextId });
    } catch (error) {
      await this.#forget(made);
      this.#uncertain.push(...made.map(({ id }) => id));
      throw error;
    }
    this.#install();
    await this.#removeUncertain();
  }

  /** Removes files that no manifest names. What cannot be removed is an orphan for the next opening. */
  async removeFiles(ids: readonly number[]): Promise<void> {
    for (const id of ids) await this.#disk.remove(tablePath(id)).catch(() => this.#notRemoved++);
  }

  /** Lets go of everything. Readers of any version get KAYA_CLOSED. */
  async close(): Promise<void> {
    const live = [...this.#live.values()];
    await this.#removals;
    this.#current.release();
    await this.#removals;
    for (const { table } of live) await table.close();
    await this.#manifest.close();
  }

  async #openMade(made: readonly TableMeta[]): Promise<void> {
    for (const meta of made) {
      const table = await openTable(this.#disk, meta, this.#cache);
      this.#live.set(meta.id, this.#liveTable(meta, table));
    }
  }

  async #makeNamesDurable(): Promise<void> {
    await this.#disk.syncDir(TABLE_DIR);
    if (this.#isTableDirDurable) return;
    await this.#disk.syncDir("");
    this.#isTableDirDurable = true;
  }

  /** The tables of an edit that failed. */
  async #forget(made: readonly TableMeta[]): Promise<void> {
    for (const { id } of made) {
      const live = this.#live.get(id);
      this.#live.delete(id);
      await live?.table.close();
    }
  }

  #install(): void {
    const { levels, covered } = this.#manifest.state;
    const version = new Version(
      levels.map((tables) => tables.map(({ id }) => this.#live.get(id) ?? notOpenTable(id))),
      covered,
    );
    const alive = new Set(levels.flat().map(({ id }) => id));
    const before = this.#current;
    for (const live of before.levels.flat()) if (!alive.has(live.meta.id)) this.#live.delete(live.meta.id);
    this.#current = version;
    before.release();
  }

  /** An edit succeeded after others had failed: it went into a new manifest, which names none of what those had made. */
  async #removeUncertain(): Promise<void> {
    if (this.#uncertain.length === 0 || this.#manifest.isUncertain) return;
    const ids = this.#uncertain;
    this.#uncertain = [];
    await this.removeFiles(ids);
  }

  #liveTable(meta: TableMeta, table: Table): LiveTable {
    return new LiveTable(meta, table, (unused) => this.#onUnused(unused));
  }

  #onUnused(unused: LiveTable): void {
    const isDropped = this.#live.get(unused.meta.id) !== unused;
    if (!isDropped) return; // the tree is being closed
    this.#removalsLeft++;
    this.#removals = this.#removals.then(async () => {
      await unused.table.close().catch(() => undefined); // nothing was written to it
      await this.removeFiles([unused.meta.id]);
      this.#removalsLeft--;
    });
  }
}

/** Opens the tables of a manifest and checks that they are the ones that it names. */
export async function openTables(
  disk: Disk,
  metas: readonly TableMeta[],
  cache: BlockCache,
): Promise<Map<number, Table>> {
  const tables = new Map<number, Table>();
  const waiting = metas.values();
  const work = async () => {
    for (const meta of waiting) tables.set(meta.id, await openTable(disk, meta, cache));
  };
  const results = await Promise.allSettled(Array.from({ length: OPEN_AT_ONCE }, work));
  const failed = results.find((result) => result.status === "rejected");
  if (failed === undefined) return tables;
  for (const table of tables.values()) await table.close();
  throw failed.reason;
}

async function openTable(disk: Disk, meta: TableMeta, cache: BlockCache): Promise<Table> {
  const { id, fileBytes, footerCrc } = meta;
  return Table.open(disk, tablePath(id), { cache, expected: { fileBytes, footerCrc } });
}

function notOpenTable(id: number): never {
  throw notOpen(id);
}

function notOpen(id: number): KayaError {
  return new KayaError("KAYA_INVARIANT_VIOLATION", `table ${id} is alive and not open. Please report this.`);
}
