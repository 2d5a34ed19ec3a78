import { rm } from "node:fs/promises";
import { bytesOf, plannedWrite } from "./planned-writes.mjs";
import { WriterProcess } from "./writer-process.mjs";

const WAL = { maxRecordBytes: 8192, segmentMaxBytes: 65_536, maxBatchBytes: 2000 };
const LANES = 8;

/**
 * Removes the directory of a writer that works. It may go on in the segment that it has open, and not a byte further.
 * @param {{ dataDir: string, seed: number, enough: number }} options enough: writes that it has acknowledged by then
 * @returns {Promise<{ before: number, after: number, codes: string[], closed: string | undefined }>}
 *   writes acknowledged before and after the removal, what the others were rejected with, and how the engine closed
 * @throws Error where a promise is broken
 */
export async function removeUnderWriter({ dataDir, seed, enough }) {
  const plan = { seed, keys: 300, maxValueBytes: 1000 };
  const writer = new WriterProcess({ dataDir, generation: 1, plan, lanes: LANES, wal: WAL });
  try {
    await writer.until(() => writer.acknowledged.length >= enough);
    await rm(dataDir, { recursive: true, maxRetries: 100, retryDelay: 1 }); // it may make a segment meanwhile
    const removedAt = process.hrtime.bigint();
    const bytesAfter = () =>
      later(writer, removedAt).reduce((sum, { number }) => sum + bytesOf(plannedWrite(plan, 1, number)), 0);
    const limit = WAL.segmentMaxBytes + LANES * WAL.maxRecordBytes;
    await writer.until(() => writer.closed !== undefined || bytesAfter() > limit);
    if (bytesAfter() > limit) throw new Error(`over ${limit} bytes were acknowledged without a directory`);
    await writer.until(() => writer.exitCode !== undefined);
    const after = later(writer, removedAt).length;
    const codes = [...new Set(writer.rejected.map(({ code }) => code))];
    const strange = [...codes, writer.errors].find((text) => text !== "" && !text.startsWith("KAYA_"));
    if (strange !== undefined || writer.exitCode !== 0)
      throw new Error(`the writer ended with ${writer.exitCode}: ${strange}`);
    return { before: writer.acknowledged.length - after, after, codes, closed: writer.closed };
  } finally {
    await writer.kill();
  }
}

/**
 * @param {WriterProcess} writer
 * @param {bigint} time of the system's monotonic clock, which all processes share
 */
function later({ acknowledged }, time) {
  return acknowledged.filter(({ at }) => at > time);
}
