/** Bugs of the write path: W1 to W6. @type {import("./mutants.mjs").Mutant[]} */
export const WRITE_MUTANTS = [
  {
    name: "rotation does not sync the old segment",
    rule: "W1",
    file: "wal/dist/segment-store.js",
    find: "await this.#watch.fsync(old.id, finalSync(this.#fileOf(old).sync()));",
    replace: "",
  },
  {
    name: "the next segment is created before the old one is synced",
    rule: "W1",
    file: "wal/dist/segment-store.js",
    find: "await this.#watch.fsync(old.id, finalSync(this.#fileOf(old).sync()));",
    replace: `const next = { id: old.id + 1, path: segmentPath(old.id + 1), end: 0, durable: { end: 0, lastLsn } };
            next.file = await this.#create(next.path);
            await finalSync(this.#fileOf(old).sync());
            await this.#fileOf(old).close();
            this.#closed.add({ id: old.id, path: old.path, length: old.end, lastLsn });
            this.#open = next;
            return;`,
  },
  {
    name: "no directory sync after a segment was created",
    rule: "W2",
    file: "wal/dist/segment-store.js",
    find: `await finalDirSync(this.#disk.syncDir(WAL_DIR));
        if (!this.#rootSynced)`,
    replace: "if (!this.#rootSynced)",
  },
  {
    name: "no sync of the root directory after wal/ was made",
    rule: "W2",
    file: "wal/dist/segment-store.js",
    find: `await finalDirSync(this.#disk.syncDir(""));`,
    replace: "await undefined;",
  },
  {
    name: "strict writes are acknowledged before the fsync",
    rule: "R3",
    instrument: "explorer",
    file: "wal/dist/group-commit.js",
    find: `await this.#syncBeside();
        if (this.#syncing !== batch)`,
    replace: `batch.settle(true);
        await this.#syncBeside();
        if (this.#syncing !== batch)`,
  },
  {
    name: "only the last strict write of a batch waits for the fsync",
    rule: "R3",
    instrument: "explorer",
    file: "wal/dist/batch.js",
    find: "this.#needsSync ||= strict;",
    replace: `if (strict && this.#synced !== undefined) {
            const early = [this.#written, this.#synced];
            this.#written = {
                resolve: () => early.forEach((one) => one?.resolve()),
                reject: (error) => early.forEach((one) => one?.reject(error)),
            };
            this.#synced = undefined;
            this.#relaxed = this.#records.count - 1;
        }
        this.#needsSync ||= strict;`,
  },
  {
    name: "relaxed writes are acknowledged before they are written",
    rule: "R3",
    instrument: "explorer",
    file: "wal/dist/group-commit.js",
    find: 'this.#busyWith = "write";',
    replace: `this.#settle(batch, false);
        this.#busyWith = "write";`,
  },
  {
    name: "sync() syncs only what waits in the queue",
    rule: "R3",
    instrument: "explorer",
    file: "wal/dist/group-commit.js",
    find: "if (this.#queue.isEmpty && this.#durableLsn === this.#writtenLsn)",
    replace: "if (this.#queue.isEmpty)",
  },
  {
    name: "close() does not sync",
    rule: "W6",
    instrument: "explorer",
    file: "wal/dist/group-commit.js",
    find: "await this.sync().catch(asSyncFailure)",
    replace: "await this.#draining",
  },
  {
    name: "goes on after a failed fsync",
    rule: "W4",
    file: "wal/dist/commit-errors.js",
    find: `(error.code === "KAYA_FSYNC_FAILED" ||`,
    replace: "(",
  },
  {
    name: "goes on after a failed write that could not be undone",
    first: "simulation",
    rule: "W4",
    file: "wal/dist/group-commit.js",
    find: `this.#poison(notUndone(error, undoError));
            return;
        }
        if (this.#segments.isTailFinished)`,
    replace: `this.#rejectQueue(error);
            return;
        }
        if (this.#segments.isTailFinished)`,
  },
  {
    name: "a failed write is not truncated away",
    rule: "W3",
    file: "wal/dist/segment-store.js",
    find: "await file.truncate(this.#open.end);",
    replace: "",
  },
  {
    name: "a failed write is undone up to its end, not its beginning",
    rule: "W3",
    file: "wal/dist/segment-store.js",
    find: "const length = offset < open.fileEnd ? await",
    replace: `open.end = offset + bytes.length;
        const length = offset < open.fileEnd ? await`,
  },
  {
    name: "the LSNs of rejected writes are not given again",
    rule: "W3",
    file: "wal/dist/batch-queue.js",
    find: "this.#nextLsn = first.place.lsn;",
    replace: "",
  },
  {
    name: "the sequence numbers of rejected writes are not given again",
    rule: "W3",
    file: "wal/dist/batch-queue.js",
    find: "this.#nextSequence = first.place.sequence;",
    replace: "",
  },
  {
    name: "one segment more is dropped than the checkpoint covers",
    rule: "R6",
    file: "wal/dist/closed-segments.js",
    find: "(segment) => segment.lastLsn < lsn",
    replace: "(segment) => segment.lastLsn <= lsn",
  },
  {
    name: "a segment whose creation failed is left behind",
    rule: "W3",
    instrument: "explorer",
    file: "wal/dist/segment-store.js",
    find: "await this.#takeBack(path, error);",
    replace: "await undefined;",
  },
  {
    name: "a segment whose creation failed is removed, but not durably",
    first: "a segment whose creation failed",
    rule: "W3",
    instrument: "explorer",
    file: "wal/dist/segment-store.js",
    find: "await finalDirSync(this.#disk.syncDir(WAL_DIR).catch(ignoreAbsent));",
    replace: "",
  },
];
