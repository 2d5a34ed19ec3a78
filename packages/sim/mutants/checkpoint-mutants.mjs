/** Bugs of checkpoints. @type {import("./mutants.mjs").Mutant[]} */
export const CHECKPOINT_MUTANTS = [
  {
    name: "what a checkpoint covers is dropped before it is written",
    rule: "ckpt",
    file: "engine/dist/checkpoint/checkpointer.js",
    find: "const written = this.#last?.lsn === lsn",
    replace: `await this.#wal.dropSegmentsBefore(lsn + 1);
        const written = this.#last?.lsn === lsn`,
  },
  {
    name: "what a checkpoint covers is dropped before its name is durable",
    rule: "ckpt",
    file: "engine/dist/checkpoint/write-checkpoint.js",
    find: "await makeNameDurable(disk);",
    replace: "",
  },
  {
    name: "recovery drops what a checkpoint covers before its name is durable",
    first: "a damaged checkpoint",
    rule: "ckpt",
    file: "engine/dist/checkpoint/recover-checkpoint.js",
    find: "await makeNameDurable(disk);",
    replace: "",
  },
  {
    name: "the directory of the checkpoints is not synced",
    rule: "ckpt",
    file: "engine/dist/checkpoint/checkpoint-files.js",
    find: `await disk.syncDir(CHECKPOINT_DIR);
    await disk.syncDir("");`,
    replace: `await disk.syncDir("");`,
  },
  {
    name: "the root directory is not synced after checkpoint/ was made",
    rule: "ckpt",
    file: "engine/dist/checkpoint/checkpoint-files.js",
    find: `await disk.syncDir("");`,
    replace: "",
  },
  {
    name: "a checkpoint is named before its bytes are synced",
    rule: "ckpt",
    file: "engine/dist/checkpoint/write-checkpoint.js",
    find: `await file.sync();
        return writer.bytes;`,
    replace: "return writer.bytes;",
  },
  {
    name: "a checkpoint without its end is taken",
    first: "a damaged checkpoint",
    rule: "ckpt",
    instrument: "explorer",
    file: "engine/dist/checkpoint/load-checkpoint.js",
    find: "if (this.#covered === undefined || !this.#isClosed)",
    replace: "if (this.#covered === undefined)",
  },
  {
    name: "an older checkpoint takes the place of a damaged one",
    first: "a damaged checkpoint",
    rule: "ckpt",
    instrument: "explorer",
    file: "engine/dist/recover-state.js",
    find: `await recoverCheckpoint(config, disk, newest, progress, into, {
        memtable,
        turns,
    });`,
    replace: `await recoverCheckpoint(config, disk, newest, progress, into, { memtable, turns }).catch(async (error) => {
        const { older } = checkpoints;
        if (older.length === 0)
            throw error;
        return recoverCheckpoint(config, disk, older.at(-1), progress, into, { memtable: new Memtable(), turns });
    });`,
  },
  {
    name: "the oldest checkpoint is loaded, not the newest",
    rule: "ckpt",
    file: "engine/dist/checkpoint/checkpoint-files.js",
    find: "newest: files.at(-1)",
    replace: "newest: files[0]",
  },
  {
    name: "a checkpoint's snapshot is taken before the rotation",
    rule: "ckpt",
    file: "engine/dist/checkpoint/checkpointer.js",
    find: "await this.#wal.rotate();",
    replace: `const { memtable } = this.#applied;
        const early = memtable.snapshot();
        const takeEarly = () => {
            delete memtable.snapshot;
            return early;
        };
        await this.#wal.rotate();
        if (this.#last?.lsn !== this.#applied.position.lsn)
            memtable.snapshot = takeEarly;`,
  },
  {
    name: "what was rotated away is dropped, whatever the checkpoint covers",
    first: "simulation",
    rule: "ckpt",
    file: "engine/dist/checkpoint/checkpointer.js",
    find: "await this.#wal.dropSegmentsBefore(lsn + 1, this.#kept());",
    replace: "await this.#wal.dropSegmentsBefore(this.#wal.nextLsn);",
  },
  {
    name: "the sequence numbers of a checkpoint begin anew",
    first: "simulation",
    rule: "ckpt",
    file: "engine/dist/checkpoint/write-checkpoint.js",
    find: `this.#buffer.add(lsn + this.entries, sequence, { type: "put", key, value });`,
    replace: `this.#buffer.add(lsn + this.entries, this.entries, { type: "put", key, value });`,
  },
  {
    name: "the log is replayed from its start, whatever the checkpoint covers",
    rule: "R6",
    file: "engine/dist/recover-state.js",
    find: "after: applied.position,",
    replace: "",
  },
  {
    name: "writers wait for a checkpoint that failed",
    first: "simulation",
    rule: "C9",
    file: "engine/dist/checkpoint/checkpointer.js",
    find: "this.#setProgress(undefined);",
    replace: "",
  },
];
