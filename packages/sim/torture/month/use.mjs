const MIB = 1024 * 1024;

/** A write that was let in before the memtable was full, and what each of its operations takes in a memtable. */
const MOST_OF_A_WRITE = 2 * MIB;
/** Of the log with many writes in flight, of a flush, a compaction and a backup's check. */
const MOST_BUFFERS = 48 * MIB;
/** The entries are not on the heap. */
const MOST_HEAP = 32 * MIB;
/** Node itself, and what its allocator keeps. */
const MOST_BESIDE = 192 * MIB;
/** Some megabytes are live: tables have what was overwritten too, until it is compacted. */
const MOST_IN_TABLES = 64 * MIB;
/** Of the manifest and all small files. */
const MOST_OF_SMALL_FILES = MIB;
/** What the consumer may not have acknowledged yet, and the segment in which that begins. */
const MOST_KEPT = 48 * MIB;
/** Those of node, the log, a flush, a compaction and a backup. */
const MOST_HANDLES = 60;

/**
 * @typedef {object} Use once all garbage is collected
 * @property {import("@kaya/engine").EngineStats} stats
 * @property {boolean} isSettled nobody looks, and nothing is flushed, compacted or backed up
 * @property {number} disk bytes of all files
 * @property {NodeJS.MemoryUsage} process
 * @property {number} handles
 */

/**
 * Holds what an engine takes against what it was given.
 * @param {Use} use
 * @param {{ memory: { memtableBytes: number, cacheBytes: number } }} store
 * @throws Error where it is too much
 */
export function checkUse({ stats, isSettled, disk, process, handles }, { memory }) {
  const { memtable, tables, changes } = stats;
  const { memtableBytes, cacheBytes } = memory;
  const { keptLogBytes } = changes;
  const mostMemory = memtableBytes + memtable.snapshots.bytes + MOST_OF_A_WRITE;
  atMost("memtables", memtable.bytes, mostMemory);
  atMost("the cache", tables.cache.bytes, cacheBytes);
  atMost("what is kept for the consumer", keptLogBytes, MOST_KEPT);
  if (isSettled) {
    atMost("tables", tables.bytes, MOST_IN_TABLES);
    const log = 2 * memtableBytes + MOST_OF_A_WRITE;
    atMost("disk", disk - keptLogBytes, tables.bytes + log + MOST_OF_SMALL_FILES);
  }
  const most = memtable.allocatedBytes + cacheBytes;
  atMost("the heap", process.heapUsed, MOST_HEAP);
  atMost("buffers", process.external, most + MOST_BUFFERS);
  atMost("the resident set", process.rss, most + MOST_BESIDE);
  // Each table has one, also one that only snapshots see. A compaction on its worker and a backup each open tables again.
  if (handles > MOST_HANDLES + 3 * (tables.tables + tables.obsoleteFiles))
    throw new Error(`${handles} file handles are open`);
  const { drops, moves, merges } = tables.compactions;
  return {
    disk: disk - keptLogBytes,
    tables: tables.bytes,
    kept: keptLogBytes,
    rss: process.rss,
    handles,
    flushes: tables.flushes,
    compactions: drops + moves + merges,
  };
}

/**
 * @param {string} what
 * @param {number} bytes
 * @param {number} limit
 */
function atMost(what, bytes, limit) {
  if (bytes <= limit) return;
  throw new Error(`${what}: ${mib(bytes)} MiB, and ${mib(limit)} are allowed`);
}

/** @param {number} bytes */
const mib = (bytes) => (bytes / MIB).toFixed(1);
