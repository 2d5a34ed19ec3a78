import type { Disk } from "@kaya/io";
import { BlockCache } from "../cache/block-cache.js";
import { EXPIRING, type RangeTombstone, TOMBSTONE } from "../entry.js";
import type { TableMeta } from "../manifest/manifest-state.js";
import { type RunTable, TablesRun } from "../merge/level-cursor.js";
import { MergingCursor } from "../merge/merging-cursor.js";
import { Skyline } from "../merge/skyline.js";
import { Table } from "../table/table.js";
import { contains, type Extent, isBefore } from "../version/extent.js";
import { tablePath } from "../version/table-files.js";
import type { MergeJob, MergeStep } from "./job.js";
import { clipToOlder, Outputs } from "./outputs.js";

/** Raw bytes of a step: a millisecond or two. */
const STEP_BYTES = 64 * 1024;

const NO_VALUE = new Uint8Array(0);

/** Of indexes: data blocks are read once, and not kept. */
const CACHE_BYTES = 16 * 1024 * 1024;

/**
 * Merges tables into new ones, in small steps: the newest entry of each key, without entries that range tombstones hide, and without
 * tombstones that have nothing older below. An expired entry is a tombstone: it still hides older ones. In the end the outputs' bytes are
 * durable, their names are not, and nothing is published. If it fails or is ended early, it removes its files.
 */
export async function* mergeTables(disk: Disk, job: MergeJob): AsyncGenerator<MergeStep, TableMeta[]> {
  const inputs = new Inputs(disk);
  let outputs: Outputs | undefined;
  try {
    const runs = await inputs.open(job.runs);
    const pieces = Skyline.of(inputs.rangeTombstones).pieces;
    outputs = new Outputs(disk, job, clipToOlder(pieces, job.older));
    const cursor = new MergingCursor(runs, { showTombstones: true });
    yield* copyEntries(cursor, new OlderBelow(job.older), job.now, outputs);
    const finished = await outputs.finish();
    outputs = undefined;
    return finished;
  } finally {
    await outputs?.abandon();
    await inputs.close();
  }
}

async function* copyEntries(
  cursor: MergingCursor,
  older: OlderBelow,
  now: number,
  outputs: Outputs,
): AsyncGenerator<MergeStep, void> {
  let bytes = 0;
  try {
    for (let moved = cursor.seekFirst(); ; moved = cursor.next()) {
      if (!(typeof moved === "boolean" ? moved : await moved)) return;
      const { key, kind, sequence, value } = cursor;
      bytes += key.length + value.length;
      const expiresAt = kind === EXPIRING ? cursor.expiresAt : 0;
      const isGone = kind === TOMBSTONE || (kind === EXPIRING && expiresAt <= now);
      if (!isGone || older.mayHave(key)) {
        const added = isGone
          ? outputs.add(key, TOMBSTONE, sequence, NO_VALUE, 0)
          : outputs.add(key, kind, sequence, value, expiresAt);
        if (added !== undefined) await added;
      }
      if (bytes < STEP_BYTES) continue;
      yield { bytes };
      bytes = 0;
    }
  } finally {
    cursor.close();
  }
}

/** Whether something older may be below a key. Keys come in order. */
class OlderBelow {
  readonly #extents: readonly Extent[];
  #at = 0;

  constructor(extents: readonly Extent[]) {
    this.#extents = extents;
  }

  mayHave(key: Uint8Array): boolean {
    for (;;) {
      const extent = this.#extents[this.#at];
      if (extent === undefined) return false;
      if (isBefore(key, extent.end)) return contains(extent, key);
      this.#at++;
    }
  }
}

class Inputs {
  readonly #disk: Disk;
  readonly #cache = new BlockCache({ bytes: CACHE_BYTES });
  readonly #tables: Table[] = [];

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async open(runs: MergeJob["runs"]): Promise<TablesRun[]> {
    const opened: TablesRun[] = [];
    for (const metas of runs) {
      const tables: RunTable[] = [];
      for (const meta of metas) tables.push(await this.#open(meta));
      opened.push(new TablesRun(tables));
    }
    return opened;
  }

  get rangeTombstones(): RangeTombstone[] {
    return this.#tables.flatMap(({ rangeTombstones }) => rangeTombstones);
  }

  async close(): Promise<void> {
    for (const table of this.#tables) await table.close();
  }

  async #open({ id, fileBytes, footerCrc, start, end }: TableMeta): Promise<RunTable> {
    const expected = { fileBytes, footerCrc };
    const table = await Table.open(this.#disk, tablePath(id), { cache: this.#cache, expected });
    this.#tables.push(table);
    const openCursor = () => table.cursor({ readAhead: true, fillCache: false });
    return { start, end, skyline: Skyline.of(table.rangeTombstones), openCursor };
  }
}
