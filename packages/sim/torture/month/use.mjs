const MIB = 1024 * 1024;
/** What an entry has in the log beside its key and value. */
const RECORD_OVERHEAD = 48;

/** Of `checkpoint.minLogBytes`, beside three times the live data: the log becomes twice as long at most, but for a batch on its way. */
const FLOORS = 2;
const MOST_ON_ITS_WAY = MIB;
const MEMORY_FACTOR = 1.5;
/** What snapshots hold is not moved: what is dead around it stays until they are closed. */
const FACTOR_BESIDE_SNAPSHOTS = 3;
/** Chunks that are not full yet. */
const MEMORY_FLOOR = 4 * MIB;
/** The entries are not on the heap. */
const MOST_HEAP = 24 * MIB;
/** Of the log with many writes in flight, of a checkpoint and of a backup's check. */
const MOST_BUFFERS = 24 * MIB;
/** Node itself, and what its allocator keeps. */
const MOST_BESIDE = 192 * MIB;
/** What the consumer may not have acknowledged yet, and the segment in which that begins. */
const MOST_KEPT = 48 * MIB;
/** Those of node, the log, a checkpoint and a backup. */
const MOST_HANDLES = 40;

/**
 * @typedef {object} Use once all garbage is collected
 * @property {import("@kaya/engine").EngineStats} stats
 * @property {boolean} isSettled nobody looks, and what was held is given back
 * @property {number} disk bytes of all files
 * @property {NodeJS.MemoryUsage} process
 * @property {number} handles
 */

/**
 * Holds what an engine takes against the data that is live.
 * @param {Use} use
 * @param {{ minLogBytes: number }} config
 * @throws Error where it is too much
 */
export function checkUse({ stats, isSettled, disk, process, handles }, { minLogBytes }) {
  const { entries, keyBytes, valueBytes, memoryBytes, snapshots, checkpoint, changes } = stats;
  const live = keyBytes + valueBytes + entries * RECORD_OVERHEAD;
  // The checkpoint on the disk may be of a time when more was live.
  const stored = Math.max(live, checkpoint.bytes ?? 0);
  const held = live + snapshots.bytes;
  const { keptLogBytes } = changes;
  atMost("disk", disk - keptLogBytes, 3 * stored + FLOORS * minLogBytes + MOST_ON_ITS_WAY);
  atMost("what is kept for the consumer", keptLogBytes, MOST_KEPT);
  atMost("memoryBytes", memoryBytes, mostMemory(stats, isSettled));
  atMost("the heap", process.heapUsed, MOST_HEAP);
  atMost("buffers", process.external, memoryBytes + MOST_BUFFERS);
  atMost("the resident set", process.rss, memoryBytes + MOST_BESIDE);
  if (handles > MOST_HANDLES) throw new Error(`${handles} file handles are open`);
  return {
    diskFactor: (disk - keptLogBytes) / stored,
    memoryFactor: memoryBytes / held,
    heap: process.heapUsed,
    external: process.external - memoryBytes,
    rss: process.rss,
    handles,
    live,
    kept: keptLogBytes,
  };
}

/**
 * What memory may be, in time: what was let go of is given back in small steps.
 * @param {Pick<import("@kaya/engine").EngineStats, "entries" | "keyBytes" | "valueBytes" | "snapshots">} stats
 * @param {boolean} isSettled
 */
export function mostMemory({ entries, keyBytes, valueBytes, snapshots }, isSettled) {
  const live = keyBytes + valueBytes + entries * RECORD_OVERHEAD;
  const factor = isSettled ? MEMORY_FACTOR : FACTOR_BESIDE_SNAPSHOTS;
  return factor * (live + snapshots.bytes) + MEMORY_FLOOR;
}

/**
 * @param {string} what
 * @param {number} bytes
 * @param {number} limit
 */
function atMost(what, bytes, limit) {
  if (bytes <= limit) return;
  throw new Error(`${what}: ${mib(bytes)} MiB, and what is live allows ${mib(limit)}`);
}

/** @param {number} bytes */
const mib = (bytes) => (bytes / MIB).toFixed(1);
