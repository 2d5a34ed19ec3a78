import { readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";

/** What a kill left of it stays until it is written again. */
const CONSUMERS = /^consumers(\.tmp)?$/;
const EXPECTED = [
  /^LOCK$/,
  /^wal\/[0-9a-f]{16}\.wal$/,
  /^checkpoint\/[0-9a-f]{16}\.ckpt$/,
  /^wal\/log-id$/,
  CONSUMERS,
];
const UNFINISHED = /^checkpoint\/[0-9a-f]{16}\.ckpt\.tmp$/;

/**
 * @typedef {{ path: string, bytes: number }} FoundFile path: below the directory
 */

/**
 * @param {string} dir
 * @returns {FoundFile[]}
 */
export function filesBelow(dir) {
  return readdirSync(dir, { withFileTypes: true, recursive: true }).flatMap((entry) => {
    if (!entry.isFile()) return [];
    const path = join(entry.parentPath, entry.name);
    // A checkpoint that is under way may take it away.
    const bytes = statSync(path, { throwIfNoEntry: false })?.size;
    return bytes === undefined ? [] : [{ path: relative(dir, path), bytes }];
  });
}

/**
 * That a data directory holds its lock, a log, its consumers and at most one checkpoint, and nothing else: no quarantine, nothing left over.
 * @param {readonly FoundFile[]} files
 * @param {{ isCheckpointRunning?: boolean }} [now]
 * @throws Error that names what is too much
 */
export function checkNames(files, { isCheckpointRunning = false } = {}) {
  const expected = isCheckpointRunning ? [...EXPECTED, UNFINISHED] : EXPECTED;
  const stranger = files.find(({ path }) => !expected.some((name) => name.test(path)));
  if (stranger !== undefined) throw new Error(`${stranger.path} must not be in the data directory`);
  const checkpoints = files.filter(({ path }) => path.endsWith(".ckpt"));
  if (checkpoints.length > (isCheckpointRunning ? 2 : 1)) {
    throw new Error(`there are several checkpoints: ${checkpoints.map(({ path }) => path).join(", ")}`);
  }
}
