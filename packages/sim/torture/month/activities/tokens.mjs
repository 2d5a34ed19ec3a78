import { KayaError } from "@kaya/engine";
import { consumedLsn } from "./follow.mjs";

/**
 * Somebody who reads the changes now and then, goes on behind the token of the last one, also in the next life, and for whom nothing is kept.
 * @type {import("./all.mjs").Activity}
 */
export const tokens = {
  name: "tokens",
  every: 6000,
  async run(life) {
    const place = life.place ?? (await placeNow(life));
    life.place = place;
    try {
      await readOn(life, place);
    } catch (error) {
      // What the consumer has not acknowledged is kept, for everybody.
      const { lsn } = life.place;
      if (!KayaError.is(error, "KAYA_LOG_TRUNCATED") || consumedLsn(life) <= lsn) throw error;
      life.place = undefined;
    }
    life.note("read", { from: place.lsn, place: life.place });
  },
};

/** @param {import("../life.mjs").Life} life */
async function placeNow(life) {
  life.writingFiles++; // the log's id, the first time
  try {
    const token = await life.engine.changesToken();
    return { lsn: Number(token.split("-")[1]), token };
  } finally {
    life.writingFiles--;
  }
}

/**
 * @param {import("../life.mjs").Life} life
 * @param {import("../life.mjs").Place} place
 */
async function readOn(life, place) {
  const end = life.lastLsn;
  if (place.lsn >= end) return;
  let expected = place.lsn + 1;
  for await (const { lsn, token } of life.engine.changes({ since: place.token })) {
    if (lsn !== expected) throw new Error(`behind a token LSN ${lsn} came where LSN ${expected} comes`);
    expected++;
    life.place = { lsn, token };
    if (lsn >= end) return;
  }
}
