import type { System } from "../system.js";
import { betterSqlite3 } from "./better-sqlite3.js";
import { classicLevel } from "./classic-level.js";
import { kaya } from "./kaya.js";
import { lmdb } from "./lmdb.js";
import { memoryLevel } from "./memory-level.js";
import { nodeSqlite } from "./node-sqlite.js";
import { rawLoop } from "./raw-loop.js";
import { rocksdb } from "./rocksdb.js";
import { rocksdb6 } from "./rocksdb-6.js";

/** In the order of the report's columns. */
export const SYSTEMS: readonly System[] = [
  kaya,
  rawLoop,
  classicLevel,
  lmdb,
  betterSqlite3,
  nodeSqlite,
  rocksdb,
  rocksdb6,
  memoryLevel,
];
