/**
 * Bugs that one fault never shows, wherever it strikes: each needs a second one in what follows the first. `--one-fault` shows that.
 *
 * @type {import("./mutants.mjs").Mutant[]}
 */
export const TWO_FAULT_MUTANTS = [
  {
    name: "a checkpoint counts only once the old files are gone, and the cleanup of its retry removes the file that it found",
    rule: "C11",
    first: "two faults: a checkpoint",
    file: "engine/dist/checkpoint/checkpointer.js",
    find: "this.#remember(written, performance.now() - started);",
    replace: "",
    also: [
      {
        file: "engine/dist/checkpoint/write-checkpoint.js",
        find: "const made = [temporary];",
        replace: "const made = [temporary, path];",
      },
    ],
  },
  {
    name: "a checkpoint whose name was not made durable, nor taken back, is taken for done by the next attempt",
    rule: "C3",
    first: "two faults: a checkpoint",
    file: "engine/dist/checkpoint/write-checkpoint.js",
    find: `await disk.remove(temporary);
    try {`,
    replace: `if (await isThere(disk, path))
        return { lsn: covered.lsn, path, bytes: (await listCheckpoints(disk)).newest.bytes };
    await disk.remove(temporary);
    try {`,
  },
  {
    name: "the writer goes on, and uses its LSN again, where a failed write could not be taken back",
    rule: "W3",
    first: "two faults: appends",
    file: "wal/dist/group-commit.js",
    find: `this.#poison(notUndone(error, undoError));
            return;`,
    replace: "",
  },
  {
    name: "a failed write that is cut at the second attempt is not cut durably",
    rule: "W3",
    first: "two faults: appends",
    file: "wal/dist/segment-store.js",
    find: "await file.truncate(this.#open.end);",
    replace: `try {
            await file.truncate(this.#open.end);
        }
        catch {
            await file.truncate(this.#open.end);
            return;
        }`,
  },
  {
    name: "the writer forgets a segment whose creation failed and could not be taken back",
    rule: "W1",
    first: "two faults: a rotation",
    file: "wal/dist/segment-store.js",
    find: `return; // nothing is written until it succeeds`,
    replace: `return (this.#halfMade = undefined);`,
  },
];
