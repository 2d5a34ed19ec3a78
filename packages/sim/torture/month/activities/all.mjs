import { backup } from "./backup.mjs";
import { flush } from "./flush.mjs";
import { follow } from "./follow.mjs";
import { look } from "./look.mjs";
import { scans } from "./scans.mjs";
import { snapshots } from "./snapshots.mjs";
import { tokens } from "./tokens.mjs";

/**
 * Something that is done to an engine again and again while it is written to. It throws where a promise is broken; that the engine is
 * closed under it is none.
 * @typedef {object} Activity
 * @property {string} name
 * @property {number} every writes from one time to the next, on average
 * @property {(life: import("../life.mjs").Life) => Promise<void>} [begin] before the first write
 * @property {(life: import("../life.mjs").Life, random: import("@kaya/io").Random) => Promise<void>} run
 */

/** @type {readonly Activity[]} */
export const ACTIVITIES = [look, flush, backup, snapshots, scans, follow, tokens];
