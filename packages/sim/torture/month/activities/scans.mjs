/**
 * Scans while writes go on: whole ones in key order, and ones that are left early.
 * @type {import("./all.mjs").Activity}
 */
export const scans = {
  name: "scans",
  every: 20_000,
  async run(life, random) {
    const about = life.engine.stats().entries;
    const most = random.chance(0.5) ? random.below(about + 1) : Number.POSITIVE_INFINITY;
    let seen = 0;
    let last = Buffer.of();
    let entries = 0;
    life.looking++;
    try {
      const counting = life.engine.count(); // of the same moment
      const scan = life.engine.scan();
      entries = await counting;
      for await (const { key } of scan) {
        if (seen > 0 && last.compare(key) >= 0)
          throw new Error(`a scan gives «${Buffer.from(key)}» behind «${last}»`);
        last = Buffer.from(key);
        seen++;
        if (seen > most) break;
      }
    } finally {
      life.looking--;
    }
    if (seen !== Math.min(entries, most + 1))
      throw new Error(`a scan of ${entries} entries saw ${seen} (${most})`);
    life.note("scan", {});
  },
};
