/** Bugs of memtables, flushes and what is around them: L1 to L8 of FLUSH.md. @type {import("./mutants.mjs").Mutant[]} */
export const STORE_MUTANTS = [
  {
    name: "the sealed memtable is forgotten before its table is named",
    rule: "L1",
    file: "engine/dist/store/flusher.js",
    find: "this.#writing = written.then(",
    replace: `this.#applied.store.forgetSealed();
            this.#writing = written.then(`,
  },
  {
    name: "a snapshot goes without the sealed memtable",
    rule: "L1",
    file: "engine/dist/store/store.js",
    find: "new StoreSnapshot(this.memtables.map(",
    replace: "new StoreSnapshot([this.#active].map(",
  },
  {
    name: "the tables cover what the log may still lose",
    rule: "L2",
    file: "engine/dist/store/flusher.js",
    find: "if (sealed.position.lsn > this.#wal.durableLsn)",
    replace: "if (false)",
    also: [
      {
        file: "engine/dist/store/flusher.js",
        find: "await this.#wal.rotate();",
        replace: "",
      },
    ],
  },
  {
    name: "the log is dropped before the edit that covers it",
    rule: "L3",
    file: "engine/dist/store/flusher.js",
    find: "const snapshot = sealed.memtable.snapshot();",
    replace: `await this.#wal.dropSegmentsBefore(sealed.position.lsn + 1);
        const snapshot = sealed.memtable.snapshot();`,
  },
  {
    name: "a flush covers one record too many",
    rule: "L3",
    file: "engine/dist/store/flusher.js",
    find: "this.#tree.flush(flushSource(snapshot, progress), sealed.position)",
    replace:
      "this.#tree.flush(flushSource(snapshot, progress), { ...sealed.position, lsn: sealed.position.lsn + 1 })",
  },
  {
    name: "a failed flush throws away what it could not write",
    rule: "L4",
    file: "engine/dist/store/flusher.js",
    find: `progress.end();
            snapshot.release();`,
    replace: `progress.end();
            this.#sealed = undefined;
            this.#applied.store.forgetSealed();
            snapshot.release();`,
  },
  {
    name: "a flush leaves out what is on its way to the log",
    rule: "flush",
    file: "engine/dist/store/flusher.js",
    find: "this.#wal.nextLsn - 1 === this.#tree.covered.lsn",
    replace: "this.#applied.position.lsn === this.#tree.covered.lsn",
  },
  {
    name: "a flush that waited for another one begins beside a third",
    rule: "flush",
    file: "engine/dist/store/flusher.js",
    find: "return this.#running ?? this.#start();",
    replace: "return this.#start();",
  },
  {
    name: "conditions do not look into the sealed memtable",
    rule: "L8",
    file: "engine/dist/store/store.js",
    find: "stateIn(this.#active, key) ?? (this.#sealed && stateIn(this.#sealed, key))",
    replace: "stateIn(this.#active, key)",
  },
  {
    name: "the tables are closed while the log still applies",
    rule: "W6",
    file: "engine/dist/engine.js",
    find: "await this.#wal.close();",
    replace: `await this.#closeTables();
            await this.#wal.close();`,
  },
  {
    name: "the log is replayed from its start, whatever the tables cover",
    rule: "R6",
    file: "engine/dist/recover-state.js",
    find: "after: store.covered,",
    replace: "",
  },
];
