import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { needsBuilding } from "../build-native.js";
import {
  type Entry,
  loadPeer,
  PAGE_ENTRIES,
  PeerMissing,
  type ScanRequest,
  type Store,
  type System,
} from "../system.js";

type Row = [key: Uint8Array, value: Uint8Array];

interface Statement {
  run(...parameters: unknown[]): unknown;
  raw(): Statement;
  pluck(): Statement;
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): Row[];
  iterate(...parameters: unknown[]): Iterable<Row>;
}

interface Database {
  pragma(text: string): unknown;
  exec(text: string): unknown;
  prepare(text: string): Statement;
  transaction<Argument>(body: (argument: Argument) => void): (argument: Argument) => void;
  close(): void;
}

interface Module {
  readonly default: new (file: string) => Database;
}

export const betterSqlite3: System = {
  name: "better-sqlite3",
  kind: "peer",
  packageName: "better-sqlite3",
  onDisk: true,
  setup: {
    durable: "journal_mode = WAL, synchronous = FULL, a transaction a put",
    relaxed: "journal_mode = WAL, synchronous = OFF",
  },
  async open(dir, durability, memory) {
    const { default: Sqlite } = await loadPeer<Module>("better-sqlite3");
    if (needsBuilding())
      throw new PeerMissing("better-sqlite3 is not built yet: `npx pnpm@10 bench` builds it");
    await mkdir(dir, { recursive: true });
    const db = new Sqlite(join(dir, "bench.sqlite"));
    db.pragma("journal_mode = WAL");
    db.pragma(`synchronous = ${durability === "durable" ? "FULL" : "OFF"}`);
    // A negative size counts in KiB.
    if (memory !== undefined) db.pragma(`cache_size = -${memory.cacheBytes >> 10}`);
    db.exec("CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID");
    return new SqliteStore(db);
  },
};

/** Its calls are synchronous: a put is on the disk when it returns, and however many are wanted, they go one by one. */
class SqliteStore implements Store {
  readonly #db: Database;
  readonly #put: Statement;
  readonly #get: Statement;
  readonly #putAll: (entries: readonly Entry[]) => void;
  readonly #selects = new Map<string, Statement>();

  constructor(db: Database) {
    this.#db = db;
    this.#put = db.prepare("INSERT OR REPLACE INTO entries VALUES (?, ?)");
    this.#get = db.prepare("SELECT value FROM entries WHERE key = ?").pluck();
    this.#putAll = db.transaction((entries: readonly Entry[]) => {
      for (const { key, value } of entries) this.#put.run(key, value);
    });
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#put.run(key, value);
  }

  batch(entries: readonly Entry[]): void {
    this.#putAll(entries);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.#get.get(key) as Uint8Array | undefined;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.getSync(key);
  }

  async scan(request: ScanRequest): Promise<void> {
    if (request.by === "entries") this.#scanEntries(request);
    else this.#scanPages(request);
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #scanEntries({ gte, limit = -1, reverse = false, visit }: ScanRequest): void {
    const statement = this.#select(gte === undefined ? "" : "WHERE key >= ?", reverse);
    const parameters = gte === undefined ? [limit] : [gte, limit];
    for (const [key, value] of statement.iterate(...parameters)) visit(key, value);
  }

  #scanPages({ gte, limit = Number.POSITIVE_INFINITY, reverse = false, visit }: ScanRequest): void {
    const first = this.#select(gte === undefined ? "" : "WHERE key >= ?", reverse);
    const further = this.#select(`WHERE key ${reverse ? "<" : ">"} ?`, reverse);
    let left = limit;
    let last: Uint8Array | undefined;
    while (left > 0) {
      const size = Math.min(left, PAGE_ENTRIES);
      const page =
        last !== undefined
          ? further.all(last, size)
          : gte === undefined
            ? first.all(size)
            : first.all(gte, size);
      for (const [key, value] of page) visit(key, value);
      if (page.length < size) return;
      left -= size;
      last = page.at(-1)?.[0];
    }
  }

  #select(where: string, reverse: boolean): Statement {
    const order = reverse ? "DESC" : "ASC";
    const text = `SELECT key, value FROM entries ${where} ORDER BY key ${order} LIMIT ?`;
    const select = this.#selects.get(text) ?? this.#db.prepare(text).raw();
    this.#selects.set(text, select);
    return select;
  }
}
