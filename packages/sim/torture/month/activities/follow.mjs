import { toTold } from "../changes.mjs";

/** The consumer for whom the log is kept. */
export const CONSUMER = "copy";
const MOST_TOLD_AT_ONCE = 500;
const MOST_UNACKNOWLEDGED = 4000;

/**
 * A consumer that follows the changes from the first write to the last. The process above, which outlives all kills, makes a copy of what it
 * is given, and compares it.
 * @type {import("./all.mjs").Activity}
 */
export const follow = {
  name: "follow",
  every: 3000,
  async begin({ engine, lastLsn }) {
    const { isNew, isTruncated } = await engine.addConsumer(CONSUMER);
    if (isTruncated || (isNew && lastLsn > 0))
      throw new Error("the consumer's place is lost, or not in the log any more");
  },
  async run(life, random) {
    const feed = life.engine.changes({ consumer: CONSUMER });
    life.note("feed", { from: consumedLsn(life) });
    // It catches up, and then goes on while changes are made.
    const end = life.lastLsn + random.below(20_000);
    let acknowledgeIn = random.below(MOST_UNACKNOWLEDGED);
    /** @type {import("../changes.mjs").ToldChange[]} */
    let untold = [];
    const tell = () => {
      life.note("changes", { changes: untold });
      untold = [];
    };
    try {
      for await (const change of feed) {
        untold.push(toTold(change));
        const isDue = acknowledgeIn-- === 0;
        if (isDue || untold.length === MOST_TOLD_AT_ONCE) tell();
        if (isDue) {
          await acknowledge(life, feed, change);
          acknowledgeIn = random.below(MOST_UNACKNOWLEDGED);
        }
        if (change.lsn >= end) break;
      }
    } finally {
      tell();
    }
  },
};

/**
 * Behind the last change that it acknowledged.
 * @param {import("../life.mjs").Life} life
 */
export function consumedLsn({ engine }) {
  const consumer = engine.consumers().find(({ name }) => name === CONSUMER);
  if (consumer === undefined) throw new Error("the consumer is gone");
  return consumer.lsn;
}

/**
 * @param {import("../life.mjs").Life} life
 * @param {import("@kaya/engine").Changes} feed
 * @param {import("@kaya/engine").Change} change
 */
async function acknowledge(life, feed, { lsn, token }) {
  life.writingFiles++;
  try {
    await feed.acknowledge(token);
  } finally {
    life.writingFiles--;
  }
  life.note("acknowledged", { lsn });
}
