import { stat } from "node:fs/promises";
import { KayaError } from "@kaya/core";
import { invalid } from "../bytes.js";
import { cannotBeLoaded, isInstalled, loadInstalled, notInstalled } from "./installed.js";

/** A row as it comes out of SQLite. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** What is needed of SQLite, by whatever package. */
export interface SqliteDriver {
  rows(sql: string): Iterable<SqlRow>;
  close(): void;
}

interface BetterSqlite {
  prepare(sql: string): { iterate(): Iterable<SqlRow> };
  close(): void;
}

type BetterSqliteConstructor = new (file: string, options: object) => BetterSqlite;

interface NodeSqliteModule {
  readonly DatabaseSync: new (file: string, options: object) => BetterSqlite;
}

/**
 * Opens a database for reading: with better-sqlite3 where it is installed, else with the SQLite of Node.
 * @throws KayaError KAYA_NOT_FOUND, KAYA_INVALID_ARGUMENT, KAYA_IO
 */
export async function openSqliteDriver(file: string): Promise<SqliteDriver> {
  await stat(file).catch((cause: unknown) => {
    throw new KayaError("KAYA_NOT_FOUND", `there is no file ${file}`, { cause });
  });
  const db = sqlCall(file, databaseConstructor()(file));
  return {
    rows: (sql) => sqlCall(file, () => db.prepare(sql).iterate()),
    close: () => db.close(),
  };
}

function databaseConstructor(): (file: string) => () => BetterSqlite {
  const node = nodeSqlite();
  if (isInstalled("better-sqlite3")) {
    const Database = loadInstalled<BetterSqliteConstructor>("better-sqlite3", "--from-sqlite");
    try {
      new Database(":memory:", {}).close(); // its native part is loaded by the first one
      return (file) => () => new Database(file, { readonly: true, fileMustExist: true });
    } catch (cause) {
      if (node === undefined) throw cannotBeLoaded("better-sqlite3", "--from-sqlite", cause);
    }
  }
  if (node === undefined)
    throw notInstalled("better-sqlite3", "--from-sqlite", ", or run kayactl with Node 22.13 or later");
  return (file) => () => new node.DatabaseSync(file, { readOnly: true });
}

/** Node 22.13 and later have it. */
function nodeSqlite(): NodeSqliteModule | undefined {
  const name: string = "node:sqlite";
  try {
    return process.getBuiltinModule(name) as NodeSqliteModule | undefined;
  } catch {
    return undefined;
  }
}

/** @throws KayaError KAYA_INVALID_ARGUMENT with what SQLite says */
export function sqlCall<T>(file: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (KayaError.is(cause)) throw cause;
    throw invalid(`SQLite refuses ${file}: ${(cause as Error).message}`);
  }
}
