import { join } from "node:path";
import { openFilesBelow } from "../handles.mjs";

const ABORTED = 0.2;
const AGAIN = 0.3;

/**
 * Backups while writes go on, some of which are broken off. The process above opens those that are there and compares them, also where
 * the kill came before anybody was told.
 * @type {import("./all.mjs").Activity}
 */
export const backup = {
  name: "backup",
  every: 40_000,
  async run(life, random) {
    const { backupDir, generation } = life.options;
    const { lastLsn } = life;
    const dir = join(backupDir, `${generation}.${lastLsn}`);
    const controller = new AbortController();
    const abortAt = random.chance(ABORTED) ? random.below(8_000_000) : Number.POSITIVE_INFINITY;
    const onProgress = (/** @type {{ bytes: number }} */ { bytes }) => {
      if (bytes >= abortAt) controller.abort();
    };
    life.writingFiles++;
    try {
      let { lsn } = await life.engine.backup(dir, { signal: controller.signal, onProgress });
      if (random.chance(AGAIN)) ({ lsn } = await life.engine.backup(dir)); // copies what is new
      if (lsn < lastLsn)
        throw new Error(`a backup ends at LSN ${lsn}, and ${lastLsn} was acknowledged before`);
      life.note("backup", { dir, lsn });
    } catch (error) {
      if (error !== controller.signal.reason) throw error;
      life.note("broken off", { dir });
    } finally {
      life.writingFiles--;
    }
    const left = openFilesBelow(dir);
    if (left.length > 0) throw new Error(`open after a backup: ${left.join(", ")}`);
  },
};
