import { KayaError, type Lsn } from "@kaya/core";
import { recoverTo } from "@kaya/engine";
import { SimDisk } from "@kaya/io";
import { describeStrikes } from "./armed-faults.js";
import { type Copy, mustBeGone, mustBeWhole } from "./copy-check.js";
import { Gate } from "./gate.js";
import { GatedDisk } from "./gated-disk.js";
import type { Process } from "./process.js";
import { isInReach, reachOf } from "./reach.js";
import { readBeside } from "./read-beside.js";
import type { RecoverToStep } from "./steps.js";
import { mustHold } from "./violation.js";
import { Watched } from "./watched.js";
import type { World } from "./world.js";

/** What a fault does to it. */
const FAILED = ["KAYA_DISK_FULL", "KAYA_IO", "KAYA_FSYNC_FAILED"];

/** Another process builds a directory as of some LSN out of this one, which goes on with what it is at between the reads. */
export async function recoverSomewhere(step: RecoverToStep, process: Process, world: World): Promise<void> {
  const { disk, faults, timeline } = world;
  const lsn = 1 + Math.floor((step.permille * (timeline.lastLsn + 1)) / 1000);
  const target = new SimDisk({ seed: disk.nextOperation });
  const logs = [...timeline.possibleLogs()].map((attempts) => [...attempts]);
  const copy: Copy = { what: "what was recovered", disk: target, least: lsn, most: lsn, logs };
  const had = process.mustHave();
  const strikesBefore = faults.strikesBeside.length;
  const reads = new Gate();
  const gate = Gate.open();
  const strikes = faults.strikesBeside;
  const source = new GatedDisk(disk, faults, gate, { strikes, reads });
  const into = new GatedDisk(target, faults, gate, { strikes });
  const answer = new Watched(recoverTo(world.engineConfig, { lsn, into }, source));
  await readBeside(answer, reads, process, step.beside);
  if (answer.state === "resolved") {
    world.digest.add(
      `recovered to ${JSON.stringify([lsn, answer.value.sequence, answer.value.recordCount])}`,
    );
    mustHold(answer.value.lsn === lsn, "wrong-answer", () => {
      return `LSN ${lsn} was asked for, and LSN ${answer.value.lsn} recovered`;
    });
    world.recoveredTo++;
    return mustBeWhole(world, copy);
  }
  const { error } = answer;
  world.digest.add(`not recovered to ${lsn}: ${error}`);
  const struck = faults.strikesBeside.slice(strikesBefore);
  // A crash may leave a hole before what it kept of the end. Only an opening cuts that off; up to there it can be read.
  const isHole = KayaError.is(error, "KAYA_CORRUPTION") && lsn > had && process.isDown;
  const isExplained =
    isHole ||
    (KayaError.is(error) &&
      ((error.code === "KAYA_INVALID_ARGUMENT" && lsn > Math.min(had, process.mustHave())) ||
        (error.code === "KAYA_LOG_TRUNCATED" && (await isBelowReach(world, lsn))) ||
        (FAILED.includes(error.code) && struck.length > 0)));
  mustHold(isExplained, "wrong-refusal", () => {
    return `LSN ${lsn} was not recovered: ${error}; the log must hold LSN ${had}, after ${describeStrikes(struck)}`;
  });
  await mustBeGone(world, copy, struck);
}

/** The reachable range only shrinks meanwhile. */
async function isBelowReach({ disk, config }: World, lsn: Lsn): Promise<boolean> {
  const reach = await reachOf(disk, config.maxRecordBytes);
  return reach.covered > lsn && !isInReach(lsn, reach);
}
