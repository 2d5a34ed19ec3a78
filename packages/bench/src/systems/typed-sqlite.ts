import { STRING_JSON, type TypedStore, type TypedSystem } from "../typed-system.js";
import { type SqliteDriver, type SqliteSetup, setUp } from "./sqlite-store.js";

/** Objects as its users keep them: JSON in a column of text, made and read by the program. */
export function typedSqlite(openDriver: (dir: string) => Promise<SqliteDriver>): TypedSystem {
  return {
    typings: [STRING_JSON],
    encodings: "TEXT keys; JSON.stringify and JSON.parse",
    async open(dir, durability, _typing, memory) {
      const setup = { isDurable: durability === "durable", ...memory };
      return new JsonTable(await openDriver(dir), setup);
    },
  };
}

class JsonTable implements TypedStore {
  readonly #driver: SqliteDriver;
  readonly #put: (key: unknown, json: string) => unknown;
  readonly #get: (key: unknown) => unknown;
  readonly #batch: (entries: Parameters<TypedStore["batch"]>[0]) => void;

  constructor(driver: SqliteDriver, setup: SqliteSetup) {
    this.#driver = driver;
    setUp(driver, setup);
    driver.exec(
      "CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    );
    this.#put = driver.prepare("INSERT OR REPLACE INTO objects VALUES (?, ?)");
    this.#get = driver.prepareGet("SELECT value FROM objects WHERE key = ?");
    this.#batch = driver.transaction((entries) => {
      for (const { key, value } of entries) this.put(key, value);
    });
  }

  put(key: unknown, value: unknown): void {
    this.#put(key, JSON.stringify(value));
  }

  batch(entries: Parameters<TypedStore["batch"]>[0]): void {
    this.#batch(entries);
  }

  getSync(key: unknown): unknown {
    const json = this.#get(key);
    return typeof json === "string" ? JSON.parse(json) : undefined;
  }

  async get(key: unknown): Promise<unknown> {
    return this.getSync(key);
  }

  async close(): Promise<void> {
    this.#driver.close();
  }
}
