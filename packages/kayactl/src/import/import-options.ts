import { type Command, Option } from "commander";
import { invalid } from "../bytes.js";
import type { Io } from "../context.js";
import { parseDuration } from "../options.js";
import { openLevel } from "./from-level.js";
import { openLmdb } from "./from-lmdb.js";
import { openSqlite } from "./from-sqlite.js";
import type { ImportSource } from "./import-source.js";
import { openJson } from "./open-json.js";

export interface ImportCommandOptions {
  readonly skipExisting?: boolean;
  readonly dryRun?: boolean;
  readonly pastIndexes?: boolean;
  readonly ttl?: number;
  readonly fromLevel?: string;
  readonly fromLmdb?: string;
  readonly db?: string;
  readonly lmdbCompression?: boolean;
  readonly lmdbVersions?: boolean;
  readonly fromSqlite?: string;
  readonly table?: string;
  readonly keyColumn?: string;
  readonly valueColumn?: string;
  readonly numbersAsText?: boolean;
  readonly skipNulls?: boolean;
}

export function addImportOptions(command: Command): Command {
  return command
    .option("--dry-run", "read and check everything, and write nothing")
    .option("--skip-existing", "do not write keys that already have a value")
    .addOption(
      new Option(
        "--ttl <time>",
        "entries without an expiry expire after this time: 500ms, 90s, 15m, 12h or 30d",
      ).argParser(parseDuration),
    )
    .option("--past-indexes", "also write rows that have a secondary index, without updating the index")
    .option("--from-level <dir>", "read a LevelDB directory, with the package classic-level")
    .option("--from-lmdb <path>", "read an LMDB database, with the package lmdb")
    .option("--db <name>", "of --from-lmdb: the database with this name")
    .option("--lmdb-compression", "of --from-lmdb: it was opened with compression: true")
    .option("--lmdb-versions", "of --from-lmdb: it was opened with useVersions: true")
    .option(
      "--from-sqlite <file>",
      "read a table of SQLite, with the package better-sqlite3 or with Node itself",
    )
    .option("--table <name>", "of --from-sqlite")
    .option("--key-column <name>", "of --from-sqlite: TEXT or BLOB, unique")
    .option("--value-column <name>", "of --from-sqlite: TEXT or BLOB")
    .option("--numbers-as-text", "of --from-sqlite: INTEGER and REAL become decimal text")
    .option("--skip-nulls", "of --from-sqlite: leave out rows whose value is NULL");
}

/** Options that go with one source alone. */
const BELONG_TO = {
  fromLmdb: ["db", "lmdbCompression", "lmdbVersions"],
  fromSqlite: ["table", "keyColumn", "valueColumn", "numbersAsText", "skipNulls"],
} as const;

/**
 * Opens what the options name.
 * @param maxEntryBytes most bytes of a key and its value
 * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_FOUND, KAYA_LOCK_CONFLICT, KAYA_IO
 */
export async function openSource(
  file: string | undefined,
  options: ImportCommandOptions,
  io: Io,
  maxEntryBytes: number,
): Promise<ImportSource> {
  const { fromLevel, fromLmdb, fromSqlite } = options;
  const given = [file, fromLevel, fromLmdb, fromSqlite].filter((source) => source !== undefined);
  if (given.length !== 1)
    throw invalid(
      "import needs one source: FILE, - for standard input, --from-level, --from-lmdb or --from-sqlite",
    );
  for (const source of ["fromLmdb", "fromSqlite"] as const) {
    const without = BELONG_TO[source].find((name) => options[name] !== undefined);
    if (options[source] === undefined && without !== undefined)
      throw invalid(`${flagOf(without)} goes with ${flagOf(source)}`);
  }
  if (fromLevel !== undefined) return openLevel(fromLevel);
  if (fromLmdb !== undefined) {
    const { db, lmdbCompression = false, lmdbVersions = false } = options;
    return openLmdb(fromLmdb, { db, compression: lmdbCompression, useVersions: lmdbVersions });
  }
  if (fromSqlite !== undefined) return openTable(fromSqlite, options);
  return openJson(file ?? "-", io, maxEntryBytes);
}

function openTable(file: string, options: ImportCommandOptions): Promise<ImportSource> {
  const { table, keyColumn, valueColumn, numbersAsText = false, skipNulls = false } = options;
  if (table === undefined || keyColumn === undefined || valueColumn === undefined)
    throw invalid("--from-sqlite needs --table, --key-column and --value-column");
  return openSqlite(file, { table, keyColumn, valueColumn, numbersAsText, skipNulls });
}

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
