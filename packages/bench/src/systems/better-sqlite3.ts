import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { needsBuilding } from "../build-native.js";
import { loadPeer, openWithBinary, PeerMissing, type System } from "../system.js";
import { type Select, SQLITE_SETUP, type SqliteDriver, SqliteStore } from "./sqlite-store.js";
import { typedSqlite } from "./typed-sqlite.js";

interface Statement extends Select {
  run(...parameters: unknown[]): unknown;
  raw(): Statement;
  pluck(): Statement;
  get(...parameters: unknown[]): unknown;
}

interface Database {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  transaction<Arguments extends unknown[]>(
    work: (...parameters: Arguments) => void,
  ): { immediate(...parameters: Arguments): void };
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
  setup: { ...SQLITE_SETUP, transactions: "transaction(fn).immediate(); updates as well" },
  typed: typedSqlite(openDriver),
  async open(dir, durability, memory) {
    return new SqliteStore(await openDriver(dir), { isDurable: durability === "durable", ...memory });
  },
};

async function openDriver(dir: string): Promise<SqliteDriver> {
  const { default: Sqlite } = await loadPeer<Module>("better-sqlite3");
  if (needsBuilding())
    throw new PeerMissing("better-sqlite3 is not built yet: `npx pnpm@10 bench` builds it");
  await mkdir(dir, { recursive: true });
  const db = openWithBinary("better-sqlite3", () => new Sqlite(join(dir, "bench.sqlite")));
  return driverOf(db);
}

function driverOf(db: Database): SqliteDriver {
  return {
    exec: (sql) => void db.exec(sql),
    prepare: (sql) => {
      const statement = db.prepare(sql);
      return (...parameters) => statement.run(...parameters);
    },
    prepareSelect: (sql) => db.prepare(sql).raw(),
    prepareGet: (sql) => {
      const statement = db.prepare(sql).pluck();
      return (...parameters) => statement.get(...parameters);
    },
    transaction: (work) => {
      const transaction = db.transaction(work);
      return (...parameters) => transaction.immediate(...parameters);
    },
    close: () => db.close(),
  };
}
