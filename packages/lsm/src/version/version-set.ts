import { invariant, KayaError, type LogPosition } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { BlockCache } from "../cache/block-cache.js";
import type { Manifest } from "../manifest/manifest.js";
import {
  EMPTY_STATE,
  type ManifestEdit,
  type ManifestState,
  type TableMeta,
} from "../manifest/manifest-state.js";
import type { Table } from "../table/table.js";
import { LiveTable } from "./live-table.js";
import { openTable } from "./open-tables.js";
import { TABLE_DIR, tablePath } from "./table-files.js";
import { Version } from "./version.js";

/** An edit with the tables that were made for it. */
export type Publication = Omit<ManifestEdit, "nextTableId"> & {
  /** Those of `added` whose files are new. Their bytes are durable, their names need not be. */
  readonly made?: readonly TableMeta[];
};

/**
 * The open tables and their current version. It begins as a reader, which `follow`s the manifest and changes nothing. Once it has a
 * manifest to write to, only an edit of that makes the next version. A table's file is removed once no version has it and the edit that
 * dropped it is durable.
 */
export class VersionSet {
  readonly #disk: Disk;
  readonly #cache: BlockCache;
  #manifest: Manifest | undefined;
  /** The tables of the current version, and those that are being published. */
  readonly #live = new Map<number, LiveTable>();
  /** All open tables, also those of older versions with readers. */
  readonly #open = new Set<LiveTable>();
  #current = new Version([], EMPTY_STATE);
  #nextId = 0;
  #isTableDirDurable = false;
  #isClosed = false;
  /** Tables of failed edits: until an edit succeeds it is uncertain whether the manifest names them. */
  #uncertain: number[] = [];
  #removals: Promise<void> = Promise.resolve();
  /** Bytes of the files that the current version does not have and that are not removed, by id. */
  readonly #obsolete = new Map<number, number>();

  constructor(disk: Disk, cache: BlockCache) {
    this.#disk = disk;
    this.#cache = cache;
  }

  get current(): Version {
    return this.#current;
  }

  /** The manifest is known to be on stable storage. */
  get isClean(): boolean {
    return this.#manifest?.isUncertain !== true;
  }

  get covered(): LogPosition {
    return this.#current.covered;
  }

  get logIdentity(): string {
    return this.#current.state.logIdentity;
  }

  /** Files that the current version does not have and that are not removed yet. The next opening removes those that cannot be removed. */
  get obsolete(): { readonly files: number; readonly bytes: number } {
    const bytes = [...this.#obsolete.values()].reduce((sum, each) => sum + each, 0);
    return { files: this.#obsolete.size, bytes };
  }

  /** Whether the current version has this very table. */
  has({ id, footerCrc, fileBytes }: TableMeta): boolean {
    const meta = this.#live.get(id)?.meta;
    return meta?.footerCrc === footerCrc && meta.fileBytes === fileBytes;
  }

  /**
   * Moves on to the manifest's state.
   * @param opened its tables that the current version does not have
   */
  follow(state: ManifestState, opened: ReadonlyMap<number, Table>): void {
    const metas = state.levels.flat();
    for (const meta of metas) if (!this.has(meta) && !opened.has(meta.id)) throw notOpen(meta.id);
    for (const meta of metas) {
      const table = opened.get(meta.id);
      if (table !== undefined) this.#live.set(meta.id, this.#liveTable(meta, table));
    }
    this.#install(state);
  }

  /**
   * From here on it makes the versions.
   * @param manifest durable; it names the tables of the current version
   * @param nextId ids from here on are free
   */
  writeTo(manifest: Manifest, nextId: number): void {
    this.#manifest = manifest;
    this.#nextId = nextId;
  }

  /** Reserves so many ids; gives the first. */
  reserveIds(count: number): number {
    const first = this.#nextId;
    this.#nextId += count;
    return first;
  }

  /**
   * Makes an edit durable, and then current. If it rejects, readers see no change; its new files are removed, at once or when it is certain
   * that no manifest names them.
   * @throws KayaError as `Manifest.append`, and where what was made cannot be opened
   */
  async publish({ made = [], ...edit }: Publication): Promise<void> {
    const manifest = this.#manifest;
    invariant(manifest !== undefined, "M5", "a tree that is only looked at was changed");
    try {
      await this.#openMade(made);
      if (made.length > 0) await this.#makeNamesDurable();
    } catch (error) {
      await this.#forget(made);
      this.#noteObsolete(made);
      await this.removeFiles(made.map(({ id }) => id));
      throw error;
    }
    try {
      await manifest.append({ ...edit, nextTableId: this.#nextId });
    } catch (error) {
      await this.#forget(made);
      this.#noteObsolete(made);
      this.#uncertain.push(...made.map(({ id }) => id));
      throw error;
    }
    this.#install(manifest.state);
    if (!manifest.isUncertain) await this.#removeUncertain();
  }

  /** Removes files that no manifest names. One that cannot be removed is an orphan for the next opening. */
  async removeFiles(ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      await this.#disk.remove(tablePath(id)).then(
        () => this.#obsolete.delete(id),
        () => undefined,
      );
    }
  }

  /**
   * Releases everything. Readers of any version get KAYA_CLOSED, and tables that they release later are not removed any more: the directory
   * may be another process's by then.
   */
  async close(): Promise<void> {
    await this.#removals;
    this.#current.release();
    await this.#removals;
    this.#isClosed = true;
    for (const { table } of this.#open) await table.close();
    this.#open.clear();
    await this.#manifest?.close();
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
      if (live === undefined) continue;
      this.#open.delete(live);
      await live.table.close();
    }
  }

  #install(state: ManifestState): void {
    const { levels } = state;
    const version = new Version(
      levels.map((tables) => tables.map(({ id }) => this.#live.get(id) ?? notOpenTable(id))),
      state,
    );
    const alive = new Set(levels.flat().map(({ id }) => id));
    const before = this.#current;
    for (const { meta } of before.levels.flat()) {
      if (alive.has(meta.id)) continue;
      this.#live.delete(meta.id);
      if (this.#manifest !== undefined) this.#noteObsolete([meta]);
    }
    this.#current = version;
    before.release();
  }

  /** An edit succeeded after others had failed: it went into a new manifest, which names none of their tables. */
  async #removeUncertain(): Promise<void> {
    const ids = this.#uncertain;
    this.#uncertain = [];
    await this.removeFiles(ids);
  }

  #liveTable(meta: TableMeta, table: Table): LiveTable {
    const live = new LiveTable(meta, table, (unused) => this.#onUnused(unused));
    this.#open.add(live);
    return live;
  }

  #noteObsolete(metas: readonly TableMeta[]): void {
    for (const { id, fileBytes } of metas) this.#obsolete.set(id, fileBytes);
  }

  #onUnused(unused: LiveTable): void {
    const isDropped = this.#live.get(unused.meta.id) !== unused;
    if (!isDropped || this.#isClosed) return; // the tree is being closed, or is
    this.#open.delete(unused);
    this.#removals = this.#removals.then(async () => {
      await unused.table.close().catch(() => undefined); // nothing was written to it
      // A file that the writing process dropped is removed by that process.
      if (this.#obsolete.has(unused.meta.id)) await this.removeFiles([unused.meta.id]);
    });
  }
}

function notOpenTable(id: number): never {
  throw notOpen(id);
}

function notOpen(id: number): KayaError {
  return new KayaError("KAYA_INVARIANT_VIOLATION", `table ${id} is alive and not open. Please report this.`);
}
