/** Bugs around the directory itself: another one that has its name, and directories that cannot be opened. @type {import("./mutants.mjs").Mutant[]} */
export const DIR_MUTANTS = [
  {
    name: "goes on after another directory got the name",
    first: "another directory has the name",
    rule: "W4",
    file: "wal/dist/group-commit.js",
    find: `error.code === "KAYA_DIRECTORY_REPLACED" ||`,
    replace: "",
  },
  {
    name: "another directory is taken for a failed fsync of this one",
    first: "another directory has the name",
    rule: "W4",
    instrument: "explorer",
    file: "wal/dist/segment-store.js",
    find: `const NOT_TRIED = ["KAYA_IO", "KAYA_DIRECTORY_REPLACED"];`,
    replace: `const NOT_TRIED = ["KAYA_IO"];`,
  },
  {
    name: "a checkpoint that finds another directory keeps it to itself",
    first: "a checkpoint notices behind",
    rule: "W4",
    instrument: "explorer",
    file: "engine/dist/checkpoint/checkpointer.js",
    find: "this.#wal.noteFailure(failure);",
    replace: "",
  },
  {
    name: "a consumer that finds another directory keeps it to itself",
    first: "a new consumer notices",
    rule: "W4",
    instrument: "explorer",
    file: "engine/dist/changes/consumers.js",
    find: "this.#log.noteFailure(error);",
    replace: "",
  },
  {
    name: "a segment that could not be taken away at once is forgotten",
    first: "nor taken away at once",
    rule: "W3",
    file: "wal/dist/group-commit.js",
    find: `if (this.#segments.hasHalfMade)
            await this.#segments.takeAwayHalfMade();`,
    replace: "",
  },
  {
    name: "a segment that cannot be taken away at once ends the writer",
    first: "nor taken away at once",
    rule: "W3",
    file: "wal/dist/segment-store.js",
    find: `if (KayaError.is(cause, "KAYA_IO") || KayaError.is(cause, "KAYA_DISK_FULL"))
                return; // nothing is written until it succeeds`,
    replace: "",
  },
  {
    name: "a listing without descriptors is taken for an empty directory",
    first: "no descriptors",
    rule: "W1",
    file: "wal/dist/segment-store.js",
    find: "return (await this.#disk.list(dir)).some((entry) => entry.path === path);",
    replace: "return (await this.#disk.list(dir).catch(() => [])).some((entry) => entry.path === path);",
  },
];
