// Another process: an engine with many callers that write, and all else that is done to an engine beside them, until it is killed or has
// written its share. What it says is for writer-process.mjs.
import { Engine, KayaError } from "@kaya/engine";
import { Random } from "@kaya/io";
import { codeOf, say } from "../real/say.mjs";
import { ACTIVITIES } from "./activities/all.mjs";
import { digestOfScan } from "./digest.mjs";
import { openFilesBelow } from "./handles.mjs";
import { Life } from "./life.mjs";

process.on("SIGINT", () => undefined); // Ctrl-C is for the processes above

/** @type {import("./life.mjs").LifeOptions} */
const options = JSON.parse(process.argv[2] ?? "");
const { dataDir, wal, store, seed, generation, backupDir } = options;

const engine = await Engine.open({ dataDir, wal, ...store });
const life = new Life(engine, options);
const { warnings, quarantined, truncatedBytes } = engine.lastRecovery;
life.note("opened", { ...(await digestOfScan(engine.scan())), warnings, quarantined, truncatedBytes });
say(`open ${life.lastLsn}`);
for (const { begin } of ACTIVITIES) await begin?.(life);

const activities = Promise.all(ACTIVITIES.map(goOn));
await Promise.race([life.write(), activities]); // an activity ends before the writes only where it fails
life.end();
const closing = engine.close().then(() => "without an error", codeOf); // with whatever is under way
await activities;
const closed = await closing;
const left = [dataDir, backupDir].flatMap(openFilesBelow);
if (left.length > 0) throw new Error(`open after closing: ${left.join(", ")}`);
say(`closed ${closed}`);

/**
 * @param {import("./activities/all.mjs").Activity} activity
 * @param {number} index
 */
async function goOn(activity, index) {
  const random = new Random(seed, generation, index);
  for (;;) {
    await life.after(1 + random.below(2 * activity.every));
    if (life.isOver) return;
    try {
      await activity.run(life, random);
    } catch (error) {
      if (!life.isOver || !KayaError.is(error, "KAYA_CLOSED")) throw error;
    }
  }
}
