/** Bugs of how a file that a caller or another program may have changed is read. @type {import("./mutants.mjs").Mutant[]} */
export const INPUT_MUTANTS = [
  {
    name: "the last consumer of the file is passed over",
    first: "simulation",
    rule: "F8",
    file: "engine/dist/changes/registrations.js",
    find: "for (const line of lines) {",
    replace: "for (const line of lines.slice(0, -1)) {",
  },
];
