import { readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";

/** What a kill left of it stays until it is written again. */
const CONSUMERS = /^consumers(\.tmp)?$/;
const EXPECTED = [
  /^LOCK$/,
  /^wal\/[0-9a-f]{16}\.wal$/,
  /^manifest\/[0-9a-f]{16}\.manifest$/,
  /^sst\/[0-9a-f]{16}\.sst$/,
  /^wal\/log-id$/,
  CONSUMERS,
];
const UNFINISHED = /^manifest\/[0-9a-f]{16}\.manifest\.tmp$/;

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
    // A flush or a compaction that is under way may take it away.
    const bytes = statSync(path, { throwIfNoEntry: false })?.size;
    return bytes === undefined ? [] : [{ path: relative(dir, path), bytes }];
  });
}

/**
 * That a data directory holds its lock, a log, its consumers, a manifest and tables, and nothing else: no quarantine, nothing left over.
 * @param {readonly FoundFile[]} files
 * @param {{ isBusy?: boolean }} [now] isBusy: a flush, a compaction or a backup is under way
 * @throws Error that names what is too much
 */
export function checkNames(files, { isBusy = false } = {}) {
  const expected = isBusy ? [...EXPECTED, UNFINISHED] : EXPECTED;
  const stranger = files.find(({ path }) => !expected.some((name) => name.test(path)));
  if (stranger !== undefined) throw new Error(`${stranger.path} must not be in the data directory`);
  const manifests = files.filter(({ path }) => path.endsWith(".manifest"));
  if (manifests.length > (isBusy ? 2 : 1)) {
    throw new Error(`there are several manifests: ${manifests.map(({ path }) => path).join(", ")}`);
  }
}
