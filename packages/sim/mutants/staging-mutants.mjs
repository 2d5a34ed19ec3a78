/** Bugs of looking at a tree, staging, and naming copied tables: M13 to M15 of MANIFEST.md. @type {import("./mutants.mjs").Mutant[]} */
export const STAGING_MUTANTS = [
  {
    name: "staged tables are published one by one, each with all that is covered",
    first: "lsm: a log that is staged",
    rule: "M13",
    file: "lsm/dist/tree/found-tree.js",
    find: "await this.#versions.publish({ made, added, covered: this.#stagedUpTo, logIdentity });",
    replace: `for (const [i, table] of made.entries())
            await this.#versions.publish({ made: [table], added: [added[i]], covered: this.#stagedUpTo, logIdentity });`,
  },
  {
    name: "staged tables that an earlier opening left are never removed",
    first: "lsm: a log that is staged",
    rule: "M13",
    file: "lsm/dist/tree/orphans.js",
    find: "for (const path of directory.leftovers)\n        await isGone(disk, path);",
    replace: "",
  },
];
