/** Bugs of backups and of recovering to an LSN. @type {import("./mutants.mjs").Mutant[]} */
export const COPY_MUTANTS = [
  {
    name: "a backup goes by the LSN of when it is written, not of when it was asked for",
    first: "a backup",
    rule: "backup",
    file: "engine/dist/checkpoint/backup.js",
    find: "const covered = applied.position;",
    replace: `const covered = {
        get lsn() {
            return applied.position.lsn;
        },
        get sequence() {
            return applied.position.sequence;
        },
    };`,
  },
  {
    name: "a backup that is cancelled while it is read back stays",
    first: "a backup",
    rule: "backup",
    file: "engine/dist/checkpoint/new-directory.js",
    find: `        await removeCheckpoint(disk, file);
        throw error;`,
    replace: "        throw error;",
  },
  {
    name: "a backup is made over another one",
    first: "simulation",
    rule: "backup",
    file: "engine/dist/checkpoint/target-directory.js",
    find: "if (found.length === 0)",
    replace: `if (found.every((path) => path === "checkpoint"))`,
  },
  {
    name: "what a backup took away again comes back in a power cut",
    first: "a backup",
    rule: "backup",
    file: "engine/dist/checkpoint/checkpoint-files.js",
    find: `    await disk.remove(file.path);
    await disk.syncDir(CHECKPOINT_DIR);`,
    replace: "    await disk.remove(file.path);",
  },
  {
    name: "opening relies on the absence of a checkpoint that a power cut may bring back",
    first: "a backup",
    rule: "backup",
    file: "engine/dist/checkpoint/recover-checkpoint.js",
    find: "await makeAbsenceDurable(disk);",
    replace: "",
  },
  {
    name: "opening relies on the name of a checkpoint where there is no log to drop",
    first: "a backup",
    rule: "backup",
    file: "engine/dist/checkpoint/recover-checkpoint.js",
    find: "await makeNameDurable(disk);",
    replace: `if (checkpoints.older.length > 0 || wal.size.segments > 1)
            await makeNameDurable(disk);`,
  },
  {
    name: "an LSN is recovered from the newest checkpoint, whatever that covers",
    first: "simulation",
    rule: "recoverTo",
    file: "engine/dist/recover-to.js",
    find: "checkpoints.findLast((file) => file.lsn <= lsn)",
    replace: "newest",
  },
  {
    name: "what a checkpoint took the place of is refused as if it had never been",
    first: "simulation",
    rule: "recoverTo",
    file: "engine/dist/recover-to.js",
    find: "checkpoints.find((file) => file.lsn > lsn)",
    replace: "undefined",
  },
  {
    name: "the log is read over a checkpoint that is made meanwhile",
    first: "simulation",
    rule: "recoverTo",
    file: "engine/dist/recover-to.js",
    find: "await lookSteadily(source, () => readState(resolved, source, options))",
    replace: "await readState(resolved, source, options)",
  },
  {
    name: "an LSN behind the log's end is recovered as its end",
    first: "simulation",
    rule: "recoverTo",
    file: "engine/dist/recover-to.js",
    find: "if (lastLsn === lsn)",
    replace: "if (lastLsn === lsn || (lastLsn < lsn && gap === undefined && lastLsn > 0))",
  },
];
