/** Bugs in flushes, openings and backups on tables that the scenarios of the engine are to find. @type {import("./mutants.mjs").Mutant[]} */
export const FLUSH_MUTANTS = [
  {
    name: "a flush leaves out the ranges that were deleted",
    first: "cleared, flushed and compacted",
    rule: "L1",
    file: "engine/dist/store/flush-source.js",
    find: "return { entries, rangeTombstones };",
    replace: "return { entries, rangeTombstones: [] };",
  },
  {
    name: "an opening drops the log before the tables that it became are named",
    first: "does not fit a memtable",
    rule: "L3",
    file: "engine/dist/recover-state.js",
    find: "tree = await store.open(wal.history?.id ?? found.logIdentity);",
    replace: `await wal.dropSegmentsBefore(applied.position.lsn + 1);
        tree = await store.open(wal.history?.id ?? found.logIdentity);`,
  },
  {
    name: "an opening believes a manifest that is not durable, and drops the log",
    first: "as a flush ends",
    rule: "L3",
    file: "engine/dist/recover-state.js",
    find: "trustPageCache: trustPageCache !== false",
    replace: "trustPageCache: true",
  },
  {
    name: "a backup is named before its tables are on the disk",
    first: "a backup beside writes",
    rule: "B3",
    file: "lsm/dist/copy/copy-table.js",
    find: `        await file.sync();
    }
    finally {`,
    replace: `    }
    finally {`,
  },
  {
    name: "a second backup removes what only the first one needs before it counts itself",
    first: "backups over earlier ones",
    rule: "B3",
    file: "lsm/dist/copy/tree-copy.js",
    find: "await writeManifest(this.#disk, state);",
    replace: `await this.#removeOrphans(state);
        await writeManifest(this.#disk, state);`,
  },
];
