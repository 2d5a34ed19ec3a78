/** Bugs of commits that are done when they return. @type {import("./mutants.mjs").Mutant[]} */
export const SYNC_MUTANTS = [
  {
    name: "a synchronous commit returns before its fsync",
    first: "appends at once",
    rule: "R3",
    file: "wal/dist/group-commit.js",
    find: "this.#segments.syncSync();",
    replace: "",
  },
  {
    name: "a synchronous commit is applied before what was queued earlier",
    first: "simulation",
    rule: "LSN order",
    file: "wal/dist/group-commit.js",
    find: "for (const batch of written) {",
    replace: "for (const batch of written.toReversed()) {",
  },
  {
    name: "a batch that a synchronous commit concluded is concluded again when its fsync ends",
    first: "simulation",
    rule: "W4",
    file: "wal/dist/group-commit.js",
    find: `if (this.#syncing !== batch)
            return; // a synchronous commit concluded it`,
    replace: "",
  },
  {
    name: "a synchronous commit writes the batch in flight again",
    first: "appends at once",
    rule: "W7",
    file: "wal/dist/group-commit.js",
    find: "const written = this.#syncing === undefined ? [] : [this.#syncing];",
    replace: "const written = [];",
  },
  {
    name: "a synchronous commit does not look whether another thread writes",
    first: "simulation",
    rule: "KAYA_BUSY",
    file: "wal/dist/group-commit.js",
    find: `if (this.#busyWith !== undefined)
            return this.#busyWith;`,
    replace: "",
  },
  {
    name: "a failed synchronous write is not taken back",
    first: "while writes are made at once",
    rule: "W3",
    file: "wal/dist/group-commit.js",
    find: "this.#segments.undoWriteSync();",
    replace: "",
  },
  {
    name: "after a failed synchronous write the LSNs of those before it are given again",
    first: "appends at once",
    rule: "W3",
    file: "wal/dist/group-commit.js",
    find: `this.#concludeNow(written);
            if (failure !== undefined)
                this.#recoverNow(failure);`,
    replace: `if (failure !== undefined)
                this.#recoverNow(failure);
            this.#concludeNow(written);`,
  },
  {
    name: "a segment that is created at once has no durable name",
    first: "appends at once",
    rule: "W2",
    file: "wal/dist/segment-store.js",
    find: "finalDirSyncNow(disk, WAL_DIR); // W2",
    replace: "",
  },
  {
    name: "a segment is created at once before the one before it is durable",
    first: "appends at once",
    rule: "W1",
    file: "wal/dist/segment-store.js",
    find: "this.#watch.fsyncNow(old.id, () => finalSyncNow(() => this.#fileOf(old).syncSync())); // W1",
    replace: "",
  },
  {
    name: "conditions of a synchronous batch do not see what is queued",
    first: "simulation",
    rule: "L8",
    file: "engine/dist/writes.js",
    find: `wal.settleSync();
            const conflict`,
    replace: "const conflict",
  },
  {
    name: "a synchronous commit goes on although a failed write could not be taken back",
    first: "two faults: appends at once",
    rule: "W4",
    file: "wal/dist/group-commit.js",
    find: `this.#poison(notUndone(error, undoError));
            return;
        }
        this.#becameDurable();`,
    replace: `}
        this.#becameDurable();`,
  },
  {
    name: "a synchronous commit leaves a segment where it is that could not be taken away",
    first: "two faults: appends at once",
    rule: "W1",
    file: "wal/dist/group-commit.js",
    find: `if (this.#segments.hasHalfMade)
                this.#segments.takeAwayHalfMadeSync();`,
    replace: "",
  },
  {
    name: "a batch that a synchronous commit wrote while its rotation was prepared is written again",
    first: "appends at once, beside rotations",
    rule: "W7",
    file: "wal/dist/group-commit.js",
    find: `if (this.#queue.first() !== batch)
                    continue; // a synchronous commit has written it, or it was taken back`,
    replace: "",
  },
];
