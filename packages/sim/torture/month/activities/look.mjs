import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { checkNames, filesBelow } from "../directory.mjs";
import { openFilesBelow, openHandles } from "../handles.mjs";
import { checkUse } from "../use.mjs";

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
    const { dataDir, store } = life.options;
    const stats = life.engine.stats();
    const isBusy = isWriting(life);
    const files = filesBelow(dataDir);
    checkNames(files, { isBusy });
    const handles = openFilesBelow(dataDir);
    if (isSettled && !isBusy) checkHandles(handles, stats);
    const disk = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const use = {
      stats,
      isSettled: isSettled && !isBusy,
      disk,
      process: process.memoryUsage(),
      handles: openHandles().length,
    };
    life.note("look", { ...checkUse(use, store) });
  },
};

/** Twice, with a turn between: buffers go after what they belong to. */
async function collectGarbage() {
  gc();
  await new Promise(setImmediate);
  gc();
}

/** @param {import("../life.mjs").Life} life */
function isWriting({ engine, writingFiles }) {
  const { flush, tables } = engine.stats();
  return writingFiles > 0 || flush.isRunning || tables.isCompacting;
}

/**
 * Waits until what closed snapshots and scans held is given back, which happens in small steps.
 * @param {import("../life.mjs").Life} life
 * @returns {Promise<boolean>} false where somebody holds some now
 */
async function settle(life) {
  for (let turn = 0; ; turn++) {
    if (life.looking > 0 || isWriting(life)) return false;
    const { memtable, tables } = life.engine.stats();
    const { open, bytes } = memtable.snapshots;
    if (open === 0 && bytes === 0 && tables.obsoleteFiles === 0) return true;
    if (open > 0 || turn === TURNS) {
      throw new Error(
        `nobody looks: ${open} snapshots hold ${bytes} bytes, and ${tables.obsoleteFiles} files`,
      );
    }
    await new Promise(setImmediate);
  }
}

const DIRECTORY = /\/(wal|wal\/quarantine|manifest|sst)$/;
const LOG = /\/(LOCK|wal\/[0-9a-f]{16}\.wal( \(deleted\))?)$/;
const TABLES = /\/(manifest\/[0-9a-f]{16}\.manifest|sst\/[0-9a-f]{16}\.sst)$/;
/** The lock, and the last segment twice: a synchronous fsync has a descriptor of its own. */
const LOG_FILES = 3;

/**
 * @param {readonly string[]} handles directories are held open, each once
 * @param {import("@kaya/engine").EngineStats} stats each feed has a segment open, and may be the last to have it
 */
function checkHandles(handles, { changes, tables }) {
  const directories = handles.filter((path) => DIRECTORY.test(path));
  const ofLog = handles.filter((path) => LOG.test(path));
  const ofTables = handles.filter((path) => TABLES.test(path));
  const isKnown = directories.length + ofLog.length + ofTables.length === handles.length;
  const isOnce = new Set(directories).size === directories.length;
  const areFew = ofLog.length <= LOG_FILES + changes.feeds && ofTables.length <= tables.tables + 1;
  if (!isKnown || !isOnce || !areFew)
    throw new Error(`the engine has open, with nothing under way: ${handles.join(", ")}`);
}
