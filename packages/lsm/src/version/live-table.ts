import type { EntryCursor } from "../entry.js";
import type { TableMeta } from "../manifest/manifest-state.js";
import type { RunTable } from "../merge/level-cursor.js";
import { Skyline } from "../merge/skyline.js";
import type { CursorOptions } from "../table/read-ahead.js";
import type { Table } from "../table/table.js";
import type { TableExpiry } from "../table/table-expiry.js";

/** An open table that versions refer to. `onUnused` is called once, when none does any more. */
export class LiveTable implements RunTable {
  readonly meta: TableMeta;
  readonly table: Table;
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
  readonly #onUnused: (table: LiveTable) => void;
  #skyline: Skyline | undefined;
  #references = 0;

  constructor(meta: TableMeta, table: Table, onUnused: (table: LiveTable) => void) {
    this.meta = meta;
    this.table = table;
    this.start = meta.start;
    this.end = meta.end;
    this.#onUnused = onUnused;
  }

  /** Its range tombstones. */
  get skyline(): Skyline {
    this.#skyline ??=
      this.meta.rangeTombstones === 0 ? Skyline.EMPTY : Skyline.of(this.table.rangeTombstones);
    return this.#skyline;
  }

  /** When its entries expire; undefined where none does. */
  get expiry(): TableExpiry | undefined {
    return this.table.expiry;
  }

  openCursor(options: CursorOptions = {}): EntryCursor {
    return this.table.cursor(options);
  }

  retain(): void {
    this.#references++;
  }

  release(): void {
    this.#references--;
    if (this.#references === 0) this.#onUnused(this);
  }
}
