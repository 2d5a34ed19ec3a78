/** Bugs of what tells one directory and its files from another. @type {import("./mutants.mjs").Mutant[]} */
export const EVID_MUTANTS = [
  {
    name: "a directory that is filled is not locked",
    first: "beside another into the same directory",
    rule: "backup",
    file: "engine/dist/checkpoint/target-directory.js",
    find: "this.#options.disableLocking ? undefined : await this.#disk.lock(LOCK_PATH)",
    replace: "undefined",
  },
];
