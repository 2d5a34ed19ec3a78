import { KayaError } from "@kaya/core";
import type { BackupResult, Engine } from "@kaya/engine";
import { SimDisk } from "@kaya/io";
import { describeStrikes, isReadOfTable } from "./armed-faults.js";
import { type Copy, mustBeGone, mustBeWhole, mustBeWholeOrNothing } from "./copy-check.js";
import { findTables } from "./found-tables.js";
import type { Gate } from "./gate.js";
import { GatedDisk } from "./gated-disk.js";
import { mustHold } from "./violation.js";
import { Watched } from "./watched.js";
import type { World } from "./world.js";

interface FlyingBackup {
  readonly copy: Copy;
  readonly engine: Engine;
  readonly cancellation: AbortController;
  readonly answer: Watched<BackupResult>;
  /** Faults that had struck when it was asked for: its target, and the data directory. */
  readonly strikesBefore: { readonly target: number; readonly source: number };
}

/** Effects of a fault on a backup. The engine is not affected. */
const FAILED = ["KAYA_DISK_FULL", "KAYA_IO", "KAYA_FSYNC_FAILED"];

/** The backups of one process that are not answered yet. They outlive their engine by some steps, and none the process. */
export class FlyingBackups {
  readonly #world: World;
  readonly #gate: Gate;
  #flying: FlyingBackup[] = [];

  constructor(world: World, gate: Gate) {
    this.#world = world;
    this.#gate = gate;
  }

  get isEmpty(): boolean {
    return this.#flying.length === 0;
  }

  async start(engine: Engine, into: "new" | "used"): Promise<void> {
    const { timeline, faults } = this.#world;
    const disk = this.#targetFor(into);
    const earlier = await findTables(disk);
    const cancellation = new AbortController();
    const target = new GatedDisk(disk, faults, this.#gate, { strikes: faults.strikesBeside });
    const attempts = [...timeline.attempts()];
    const strikesBefore = { target: faults.strikesBeside.length, source: faults.strikes.length };
    const answer = new Watched(engine.backup(target, { signal: cancellation.signal }));
    const least = timeline.acknowledgedLsn;
    // Readers may see a part of a clear that failed for good between two of its records.
    const most = engine.failure === undefined ? least : timeline.lastLsn;
    const copy = { what: "a backup", disk, least, most, logs: [attempts], earlier };
    this.#flying.push({ copy, engine, cancellation, answer, strikesBefore });
  }

  cancel(): void {
    this.#flying[0]?.cancellation.abort(new Error("cancelled"));
  }

  async harvest(): Promise<void> {
    const settled = this.#flying.filter(({ answer }) => answer.state !== "pending");
    this.#flying = this.#flying.filter(({ answer }) => answer.state === "pending");
    for (const backup of settled) {
      if (backup.answer.state === "resolved") await this.#take(backup);
      else await this.#mustHaveReason(backup);
    }
  }

  /** Backups under way when the process died. */
  async leave(): Promise<void> {
    for (const { copy } of this.#flying.splice(0)) await mustBeWholeOrNothing(this.#world, copy);
  }

  /** The disk of an earlier backup, unless in use. It may have leftovers; operations on their way to it go first. */
  #targetFor(into: "new" | "used"): SimDisk {
    const { disk, lastTarget } = this.#world;
    const isFree = !this.#flying.some(({ copy }) => copy.disk === lastTarget);
    if (into === "used" && lastTarget !== undefined && isFree) {
      lastTarget.crash({ survive: "everything" });
      return lastTarget;
    }
    const target = new SimDisk({ seed: disk.nextOperation });
    this.#world.lastTarget = target;
    return target;
  }

  async #take({ copy, answer }: FlyingBackup): Promise<void> {
    const { lsn, sequence, tables, copiedTables } = answer.value;
    this.#world.digest.add(`backup ${lsn} ${sequence} ${tables} ${copiedTables}`);
    mustHold(lsn >= copy.least && lsn <= copy.most, "wrong-answer", () => {
      return `a backup holds LSN ${lsn}; readable was LSN ${copy.least} when it was asked for`;
    });
    mustHold(copiedTables <= tables, "wrong-answer", () => {
      return `a backup of ${tables} tables copied ${copiedTables}`;
    });
    this.#world.backups++;
    if (copy.earlier !== undefined) this.#world.backupsAgain++;
    await mustBeWhole(this.#world, { ...copy, least: lsn, most: lsn });
  }

  async #mustHaveReason({ copy, engine, cancellation, answer, strikesBefore }: FlyingBackup): Promise<void> {
    const { error } = answer;
    const { faults } = this.#world;
    const strikes = faults.strikesBeside.slice(strikesBefore.target);
    // It copies tables of the data directory, and changes nothing there.
    const sourceStrikes = faults.strikes.slice(strikesBefore.source).filter(isReadOfTable);
    this.#world.digest.add(`no backup ${error}`);
    const isExplained =
      error === cancellation.signal.reason ||
      (KayaError.is(error, "KAYA_CLOSED") && engine.state === "closed") ||
      (KayaError.is(error) && FAILED.includes(error.code) && strikes.length > 0) ||
      (KayaError.is(error, "KAYA_IO") && sourceStrikes.length > 0);
    mustHold(isExplained, "wrong-refusal", () => {
      const struck = describeStrikes([...strikes, ...sourceStrikes]);
      return `a backup was rejected with ${error}, the engine is ${engine.state}, after ${struck}`;
    });
    // A failed read of the source is no reason to leave anything in the target.
    await mustBeGone(this.#world, copy, strikes);
  }
}
