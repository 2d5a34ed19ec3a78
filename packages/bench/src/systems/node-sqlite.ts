import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { loadPeer, type System } from "../system.js";
import { SQLITE_SETUP, type SqliteDriver, type SqliteRow, SqliteStore } from "./sqlite-store.js";
import { typedSqlite } from "./typed-sqlite.js";

interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

interface Statement {
  run(...parameters: unknown[]): unknown;
  get(...parameters: unknown[]): Row | undefined;
  all(...parameters: unknown[]): Row[];
  iterate(...parameters: unknown[]): Iterable<Row>;
}

interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

/** The part of the module that the bench uses. */
export interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => Database;
}

const MODULE = "node:sqlite";

/** SQLite as it comes with Node 22.5 and later. */
export const nodeSqlite = makeNodeSqlite(() => loadPeer<NodeSqlite>(MODULE));

/** @param loadModule rejects with PeerMissing where this Node has no such module */
export function makeNodeSqlite(loadModule: () => Promise<NodeSqlite>): System {
  return {
    name: "node-sqlite",
    kind: "peer",
    version: process.versions.sqlite ?? "not in this Node",
    onDisk: true,
    setup: { ...SQLITE_SETUP, transactions: "BEGIN IMMEDIATE; updates as well" },
    typed: typedSqlite(openDriver),
    async open(dir, durability, memory) {
      return new SqliteStore(await openDriver(dir), { isDurable: durability === "durable", ...memory });
    },
  };

  async function openDriver(dir: string): Promise<SqliteDriver> {
    const { DatabaseSync } = await loadModule();
    await mkdir(dir, { recursive: true });
    return driverOf(new DatabaseSync(join(dir, "bench.sqlite")));
  }
}

function driverOf(db: Database): SqliteDriver {
  return {
    exec: (sql) => db.exec(sql),
    prepare: (sql) => {
      const statement = db.prepare(sql);
      return (...parameters) => statement.run(...parameters);
    },
    prepareSelect: (sql) => {
      const statement = db.prepare(sql);
      return {
        all: (...parameters) => statement.all(...parameters).map(asPair),
        iterate: (...parameters) => pairs(statement.iterate(...parameters)),
      };
    },
    prepareGet: (sql) => {
      const statement = db.prepare(sql);
      return (...parameters) => statement.get(...parameters)?.value;
    },
    transaction: (work) => {
      const [begin, commit] = [db.prepare("BEGIN IMMEDIATE"), db.prepare("COMMIT")];
      return (...parameters) => {
        begin.run();
        try {
          work(...parameters);
          commit.run();
        } catch (error) {
          db.exec("ROLLBACK");
          throw error;
        }
      };
    },
    close: () => db.close(),
  };
}

function asPair({ key, value }: Row): SqliteRow {
  return [key, value];
}

function* pairs(rows: Iterable<Row>): Iterable<SqliteRow> {
  for (const row of rows) yield asPair(row);
}
