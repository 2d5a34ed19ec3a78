const COMPACTED = 0.3;

/** Flushes and compactions that are asked for, beside those that the engine begins by itself. @type {import("./all.mjs").Activity} */
export const flush = {
  name: "flush",
  every: 60_000,
  async run(life, random) {
    const { lastLsn } = life;
    life.writingFiles++;
    try {
      const { lsn, bytes } = await life.engine.flush();
      if (lsn < lastLsn) throw new Error(`a flush covers LSN ${lsn}, and ${lastLsn} was acknowledged before`);
      life.note("flush", { lsn, bytes });
      if (random.chance(COMPACTED)) await life.engine.compact();
    } finally {
      life.writingFiles--;
    }
  },
};
