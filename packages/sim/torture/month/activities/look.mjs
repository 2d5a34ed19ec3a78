import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { checkNames, filesBelow } from "../directory.mjs";
import { openFilesBelow, openHandles } from "../handles.mjs";
import { checkUse } from "../use.mjs";

setFlagsFromString("--expose-gc");
/** @type {() => void} */
const gc = runInNewContext("gc");

/** Turns of the event loop in which what a closed snapshot held must be given back. */
const TURNS = 2000;

/** What the engine takes: disk, memory, file handles. @type {import("./all.mjs").Activity} */
export const look = {
  name: "look",
  every: 12_000,
  async run(life) {
    await checkReleased(life);
    await collectGarbage();
    const { dataDir, checkpoint: config } = life.options;
    const stats = life.engine.stats();
    const { isRunning } = stats.checkpoint;
    const files = filesBelow(dataDir);
    checkNames(files, { isCheckpointRunning: isRunning || life.writingFiles > 0 });
    const handles = openFilesBelow(dataDir);
    if (!isRunning && life.writingFiles === 0) checkHandles(handles);
    const disk = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const use = { stats, disk, process: process.memoryUsage(), handles: openHandles().length };
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
 * What closed snapshots and scans held is given back, in small steps.
 * @param {import("../life.mjs").Life} life
 */
async function checkReleased(life) {
  const isIdle = () =>
    life.looking === 0 && life.writingFiles === 0 && !life.engine.stats().checkpoint.isRunning;
  for (let turn = 0; isIdle(); turn++) {
    const { open, bytes } = life.engine.stats().snapshots;
    if (open === 0 && bytes === 0) return;
    if (open > 0 || turn === TURNS)
      throw new Error(`nobody looks, and ${open} snapshots hold ${bytes} bytes`);
    await new Promise(setImmediate);
  }
}

/** @param {readonly string[]} handles */
function checkHandles(handles) {
  const expected = [/\/LOCK$/, /\/wal\/[0-9a-f]{16}\.wal$/];
  const stranger = handles.find((path) => !expected.some((name) => name.test(path)));
  if (stranger !== undefined || handles.length > expected.length)
    throw new Error(`the engine has open, with no checkpoint or backup under way: ${handles.join(", ")}`);
}
