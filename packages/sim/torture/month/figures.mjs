/**
 * @typedef {object} MonthFigures
 * @property {number} writes acknowledged
 * @property {number} lives from one opening to the end of its process
 * @property {number} kills
 * @property {number} flushes of memtables, and compactions
 * @property {number} compactions
 * @property {number} backups that were opened and compared
 * @property {number} snapshots
 * @property {number} scans
 * @property {number} conflicts batches whose condition did not hold
 * @property {number} changes that the consumer was given
 * @property {number} changesAgain those of them that it had been given before
 * @property {number} reads by a token, and those of them that were refused
 * @property {number} refusedReads
 * @property {number} looks at what it takes
 * @property {{ disk: number, tables: number, kept: number, rss: number, handles: number }} most of it, in bytes
 * @property {{ seed: number, generation: number, dir: string, message: string }[]} violations
 */

/** @returns {MonthFigures} */
export function noMonth() {
  const none = {
    writes: 0,
    lives: 0,
    kills: 0,
    flushes: 0,
    compactions: 0,
    backups: 0,
    snapshots: 0,
    scans: 0,
    conflicts: 0,
    changes: 0,
    changesAgain: 0,
    reads: 0,
    refusedReads: 0,
    looks: 0,
  };
  return { ...none, most: { disk: 0, tables: 0, kept: 0, rss: 0, handles: 0 }, violations: [] };
}

/**
 * @param {MonthFigures} figures
 * @param {readonly import("../real/writer-process.mjs").Note[]} notes
 */
export function addNotes(figures, notes) {
  for (const note of notes) {
    if (note.name === "snapshot") figures.snapshots++;
    if (note.name === "scan") figures.scans++;
    if (note.name === "read") figures.reads++;
    if (note.name === "read" && note.place === undefined) figures.refusedReads++;
    if (note.name === "look") addLook(figures, note);
  }
  const last = notes.findLast(({ name }) => name === "look");
  figures.flushes += last?.flushes ?? 0;
  figures.compactions += last?.compactions ?? 0;
}

/**
 * @param {MonthFigures} figures
 * @param {any} use
 */
function addLook(figures, use) {
  figures.looks++;
  const { most } = figures;
  for (const name of /** @type {(keyof typeof most)[]} */ (Object.keys(most))) {
    most[name] = Math.max(most[name], use[name]);
  }
}
