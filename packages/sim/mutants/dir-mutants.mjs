/** Bugs around the directory itself: another one that has its name, and directories that cannot be opened. @type {import("./mutants.mjs").Mutant[]} */
export const DIR_MUTANTS = [
  {
    name: "goes on after another directory got the name",
    first: "another directory has the name",
    rule: "W4",
    file: "wal/dist/commit-errors.js",
    find: `error.code === "KAYA_DIRECTORY_REPLACED" ||`,
    replace: "",
  },
  {
    name: "another directory is taken for a failed fsync of this one",
    first: "another directory has the name",
    rule: "W4",
    instrument: "explorer",
    file: "wal/dist/final-sync.js",
    find: `const NOT_TRIED = ["KAYA_IO", "KAYA_DIRECTORY_REPLACED"];`,
    replace: `const NOT_TRIED = ["KAYA_IO"];`,
  },
  {
    name: "a flush that finds another directory keeps it to itself",
    first: "notices behind",
    rule: "W4",
    instrument: "explorer",
    file: "engine/dist/store/flusher.js",
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
    file: "wal/dist/segment-errors.js",
    find: `if (KayaError.is(cause, "KAYA_IO") || KayaError.is(cause, "KAYA_DISK_FULL"))
        return;`,
    replace: "",
  },
  {
    name: "a segment that cannot be opened for want of descriptors is taken for one that is gone",
    first: "no descriptors",
    rule: "W1",
    file: "wal/dist/segment-store.js",
    find: `KayaError.is(error, "KAYA_INVALID_ARGUMENT"))
                return false;
            throw error;`,
    replace: `KayaError.is(error, "KAYA_INVALID_ARGUMENT"))
                return false;
            return false;`,
  },
  {
    name: "a small file is written behind what a crash left under its temporary name",
    first: "simulation",
    rule: "F9",
    file: "wal/dist/sealed-file.js",
    find: `await disk.remove(path); // left by a crash; never emptied: it may have other names
    const file = await disk.open(path, { create: true, exclusive: true, like });`,
    replace: "const file = await disk.open(path, { create: true, like });",
  },
  {
    name: "a small file's temporary that a crash left keeps it from being written",
    first: "simulation",
    rule: "F9",
    file: "wal/dist/sealed-file.js",
    find: "await disk.remove(path); // left by a crash; never emptied: it may have other names",
    replace: "",
  },
];
