/** Bugs that only a real file system shows. @type {import("./mutants.mjs").Mutant[]} */
export const REAL_MUTANTS = [
  {
    name: "a directory is known by its path alone",
    first: "directory-moved-away",
    rule: "W4",
    file: "io/dist/file-identity.js",
    find: "b !== undefined && a.ino === b.ino && a.dev === b.dev",
    replace: "b !== undefined",
    also: [
      {
        file: "io/dist/held-directories.js",
        find: `if (process.platform !== "linux" || fd === undefined)`,
        replace: "",
      },
    ],
  },
  {
    name: "a file's other names are not seen",
    first: "hard-linked-copy",
    rule: "R7",
    file: "io/dist/node-file.js",
    find: "(await this.#stat()).nlink",
    replace: "Math.min((await this.#stat()).nlink, 1)",
  },
  {
    name: "new files belong to whoever runs the process",
    first: "owner-and-mode",
    rule: "owner",
    file: "io/dist/open-file.js",
    find: `if (model !== undefined)
            giveTo(handle.fd, model);`,
    replace: "",
  },
  {
    name: "new files have the mode that the umask leaves",
    first: "owner-and-mode",
    rule: "owner",
    file: "io/dist/ownership.js",
    find: "ifPermitted(() => chmod(fd, special | mode));",
    replace: "return;",
  },
  {
    name: "a directory that cannot be opened for its sync is taken for a failed sync",
    first: "no-descriptors",
    rule: "W4",
    file: "io/dist/held-directories.js",
    find: `if (held === undefined) {
            held = this.#open(way,`,
    replace: `if (true) {
            held = this.#open(way,`,
    also: [
      {
        file: "io/dist/held-directories.js",
        find: `throw fromSystemError(cause, "open the directory", name);`,
        replace: `throw new KayaError("KAYA_FSYNC_FAILED", name, { cause });`,
      },
    ],
  },
  {
    name: "a link that has the name of the lock is followed",
    first: "links",
    rule: "names",
    file: "io/dist/open-file.js",
    find: "const AS_IT_IS = (constants.O_NOFOLLOW ?? 0) |",
    replace: "const AS_IT_IS =",
    also: [
      {
        file: "io/dist/node-lock.js",
        find: `import { constants, fstatSync, lstatSync } from "node:fs";`,
        replace: `import { constants, fstatSync, statSync as lstatSync } from "node:fs";`,
      },
    ],
  },
];
