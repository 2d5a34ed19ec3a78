import { type Change, type Entry, PAGE_ENTRIES, type ScanRequest, type Store } from "../system.js";

export type SqliteRow = readonly [key: Uint8Array, value: Uint8Array];

/** A prepared SELECT of keys and values. */
export interface Select {
  all(...parameters: unknown[]): readonly SqliteRow[];
  iterate(...parameters: unknown[]): Iterable<SqliteRow>;
}

/** Differences between the modules that have SQLite. */
export interface SqliteDriver {
  /** Runs statements that give nothing. */
  exec(sql: string): void;
  /** Prepares a statement that gives nothing. */
  prepare(sql: string): (...parameters: unknown[]) => unknown;
  prepareSelect(sql: string): Select;
  /** Prepares a SELECT of one value of at most one row. */
  prepareGet(sql: string): (...parameters: unknown[]) => unknown;
  /** The returned function runs as one transaction, which takes the write lock before it reads. */
  transaction<Arguments extends unknown[]>(
    work: (...parameters: Arguments) => void,
  ): (...parameters: Arguments) => void;
  close(): void;
}

/** How both modules are set up. */
export const SQLITE_SETUP = {
  durable:
    "journal_mode = WAL, synchronous = FULL, a transaction a put; calls are synchronous, so N in flight go one by one",
  relaxed: "journal_mode = WAL, synchronous = OFF (a power cut may damage it)",
};

export interface SqliteSetup {
  readonly isDurable: boolean;
  readonly cacheBytes?: number;
}

/** Sets it up as `SQLITE_SETUP` says. */
export function setUp(driver: SqliteDriver, { isDurable, cacheBytes }: SqliteSetup): void {
  driver.prepareSelect("PRAGMA journal_mode = WAL").all();
  driver.exec(`PRAGMA synchronous = ${isDurable ? "FULL" : "OFF"}`);
  // A negative size counts in KiB.
  if (cacheBytes !== undefined) driver.exec(`PRAGMA cache_size = -${cacheBytes >> 10}`);
}

/** Its calls are synchronous: a put is on the disk when it returns, so any number of puts go one by one. */
export class SqliteStore implements Store {
  readonly #driver: SqliteDriver;
  readonly #put: (key: Uint8Array, value: Uint8Array) => unknown;
  readonly #get: (key: Uint8Array) => Uint8Array | undefined;
  readonly #transact: (keys: readonly Uint8Array[], change: Change) => void;
  readonly #begin: () => unknown;
  readonly #commit: () => unknown;
  readonly #selects = new Map<string, Select>();

  constructor(driver: SqliteDriver, setup: SqliteSetup) {
    this.#driver = driver;
    setUp(driver, setup);
    driver.exec(
      "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    );
    this.#put = driver.prepare("INSERT OR REPLACE INTO entries VALUES (?, ?)");
    this.#get = driver.prepareGet("SELECT value FROM entries WHERE key = ?") as (
      key: Uint8Array,
    ) => Uint8Array | undefined; // the column is a BLOB
    this.#transact = driver.transaction((keys, change) => {
      for (const key of keys) this.#put(key, change(this.#get(key)));
    });
    this.#begin = driver.prepare("BEGIN");
    this.#commit = driver.prepare("COMMIT");
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#put(key, value);
  }

  putSync(key: Uint8Array, value: Uint8Array): void {
    this.#put(key, value);
  }

  batch(entries: readonly Entry[]): void {
    this.#begin();
    try {
      for (const { key, value } of entries) this.#put(key, value);
      this.#commit();
    } catch (error) {
      this.#driver.exec("ROLLBACK");
      throw error;
    }
  }

  transact(keys: readonly Uint8Array[], change: Change): void {
    this.#transact(keys, change);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.#get(key);
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#get(key);
  }

  async scan(request: ScanRequest): Promise<void> {
    if (request.by === "entries") this.#scanEntries(request);
    else this.#scanPages(request);
  }

  async close(): Promise<void> {
    this.#driver.close();
  }

  #scanEntries({ from, limit = -1, reverse = false, visit }: ScanRequest): void {
    const select = this.#select(from === undefined ? "" : reverse ? "<=" : ">=", reverse);
    const parameters = from === undefined ? [limit] : [from, limit];
    for (const [key, value] of select.iterate(...parameters)) visit(key, value);
  }

  #scanPages({ from, limit = Number.POSITIVE_INFINITY, reverse = false, visit }: ScanRequest): void {
    const first = this.#select(from === undefined ? "" : reverse ? "<=" : ">=", reverse);
    const further = this.#select(reverse ? "<" : ">", reverse);
    let left = limit;
    let last: Uint8Array | undefined;
    while (left > 0) {
      const size = Math.min(left, PAGE_ENTRIES);
      const page =
        last !== undefined
          ? further.all(last, size)
          : from === undefined
            ? first.all(size)
            : first.all(from, size);
      for (const [key, value] of page) visit(key, value);
      if (page.length < size) return;
      left -= size;
      last = page.at(-1)?.[0];
    }
  }

  /** @param comparison of the key and the first parameter; empty: all keys */
  #select(comparison: "" | "<" | "<=" | ">" | ">=", reverse: boolean): Select {
    const where = comparison === "" ? "" : `WHERE key ${comparison} ?`;
    const order = reverse ? "DESC" : "ASC";
    const text = `SELECT key, value FROM entries ${where} ORDER BY key ${order} LIMIT ?`;
    const select = this.#selects.get(text) ?? this.#driver.prepareSelect(text);
    this.#selects.set(text, select);
    return select;
  }
}
