/** Checkpoints that are asked for, beside those that make themselves. @type {import("./all.mjs").Activity} */
export const checkpoint = {
  name: "checkpoint",
  every: 60_000,
  async run(life) {
    const { lastLsn } = life;
    life.writingFiles++;
    try {
      const { lsn, bytes } = await life.engine.checkpoint();
      if (lsn < lastLsn)
        throw new Error(`a checkpoint covers LSN ${lsn}, and ${lastLsn} was acknowledged before`);
      life.note("checkpoint", { lsn, bytes });
    } finally {
      life.writingFiles--;
    }
  },
};
