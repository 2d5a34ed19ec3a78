import { digestOfScan } from "../digest.mjs";

/**
 * A snapshot that is held while much is written, flushes and compactions among it, and shows the same at the end.
 * @type {import("./all.mjs").Activity}
 */
export const snapshots = {
  name: "snapshots",
  every: 20_000,
  async run(life, random) {
    const snapshot = life.engine.snapshot();
    life.looking++;
    try {
      const before = await digestOfScan(snapshot.scan());
      await life.after(1 + random.below(20_000));
      if (random.chance(0.3)) await life.engine.flush();
      if (random.chance(0.2)) await life.engine.compact();
      const after = await digestOfScan(snapshot.scan());
      if (before.digest !== after.digest) {
        throw new Error(`a snapshot of ${before.entries} entries has ${after.entries} others now`);
      }
      life.note("snapshot", { entries: before.entries });
    } finally {
      snapshot.close();
      life.looking--;
    }
  },
};
