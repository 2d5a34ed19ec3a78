import { createRequire } from "node:module";

interface Database {
  exec(sql: string): unknown;
  close(): void;
}

const SOURCES: readonly (readonly [name: string, constructor: string | undefined])[] = [
  ["better-sqlite3", undefined],
  ["node:sqlite", "DatabaseSync"],
];

/** A database of the first SQLite that this process has; undefined where it has none. */
export function openTestSqlite(file: string): Database | undefined {
  const require = createRequire(import.meta.url);
  for (const [name, constructorName] of SOURCES) {
    try {
      const found = require(name);
      const Constructor = constructorName === undefined ? found : found[constructorName];
      return new Constructor(file) as Database;
    } catch {
      // not installed, not built, or another version of Node
    }
  }
  return undefined;
}
