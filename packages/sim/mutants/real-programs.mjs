/**
 * The programs in real/ that keep every promise as the code is: the control runs all of them. A deliberate bug with `instrument: "real"`
 * names the one that is to find it as its `first`.
 *
 * @type {readonly string[]}
 */
export const REAL_PROGRAMS = [
  "directory-moved-away",
  "hard-linked-copy",
  "links",
  "no-descriptors",
  "owner-and-mode",
];
