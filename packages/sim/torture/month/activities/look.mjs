import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { checkNames, filesBelow } from "../directory.mjs";
import { openFilesBelow, openHandles } from "../handles.mjs";
import { checkUse, mostMemory } from "../use.mjs";

setFlagsFromString("--expose-gc");
/** @type {() => void} */
const gc = runInNewContext("gc");

/** Turns of the event loop in which memory that was let go of must be given back. */
const TURNS = 2000;

/** What the engine takes: disk, memory, file handles. @type {import("./all.mjs").Activity} */
export const look = {
  name: "look",
  every: 12_000,
  async run(life) {
    await settle(life); // before: the collector also lets go of snapshots that nobody closed
    await collectGarbage();
    const isSettled = await settle(life);
    const { dataDir, checkpoint: config } = life.options;
    const stats = life.engine.stats();
    const { isRunning } = stats.checkpoint;
    const files = filesBelow(dataDir);
    checkNames(files, { isCheckpointRunning: isRunning || life.writingFiles > 0 });
    const handles = openFilesBelow(dataDir);
    if (!isRunning && life.writingFiles === 0) checkHandles(handles, stats.changes.feeds);
    const disk = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const use = { stats, isSettled, disk, process: process.memoryUsage(), handles: openHandles().length };
    life.note("look", { ...checkUse(use, config), checkpoint: stats.checkpoint.lsn });
  },
};

/** Twice, with a turn between: buffers go after what they belong to. */
async function collectGarbage() {
  gc();
  await new Promise(setImmediate);
  gc();
}

/**
 * Waits until what closed snapshots and scans held is given back, which happens in small steps.
 * @param {import("../life.mjs").Life} life
 * @returns {Promise<boolean>} false where somebody holds some now
 */
async function settle(life) {
  for (let turn = 0; ; turn++) {
    const { snapshots, memoryBytes, ...stats } = life.engine.stats();
    if (life.looking > 0 || life.writingFiles > 0 || stats.checkpoint.isRunning) return false;
    const { open, bytes } = snapshots;
    if (open === 0 && bytes === 0 && memoryBytes <= mostMemory({ ...stats, snapshots }, true)) return true;
    if (open > 0 || turn === TURNS) {
      throw new Error(`nobody looks: ${open} snapshots hold ${bytes} bytes, memory is ${memoryBytes}`);
    }
    await new Promise(setImmediate);
  }
}

const DIRECTORY = /\/(wal|wal\/quarantine|checkpoint)$/;
const FILE = /\/(LOCK|wal\/[0-9a-f]{16}\.wal( \(deleted\))?)$/;
/** The lock and the last segment. */
const FILES = 2;

/**
 * @param {readonly string[]} handles directories are held open, each once
 * @param {number} feeds which have a segment open each, and may be the last to have it
 */
function checkHandles(handles, feeds) {
  const directories = handles.filter((path) => DIRECTORY.test(path));
  const files = handles.filter((path) => FILE.test(path));
  const isKnown = directories.length + files.length === handles.length;
  const isOnce = new Set(directories).size === directories.length;
  if (!isKnown || !isOnce || files.length > FILES + feeds)
    throw new Error(`the engine has open, with no checkpoint or backup under way: ${handles.join(", ")}`);
}
