import { KayaError, type LogPosition, type Lsn } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import { describeStrikes, isBesideTheLog, isSync, lostCache, type Strike } from "./armed-faults.js";
import { FlyingBackups } from "./flying-backups.js";
import { findTables } from "./found-tables.js";
import { Gate } from "./gate.js";
import { GatedDisk } from "./gated-disk.js";
import { checkLog, checkRecovery } from "./recovery-check.js";
import { Session } from "./session.js";
import { mustHold } from "./violation.js";
import { turn, Watched } from "./watched.js";
import type { World } from "./world.js";

type Phase =
  | { readonly name: "down" }
  | {
      readonly name: "opening";
      readonly opening: Watched<Engine>;
      readonly strikesBefore: number;
      /** By the tables that it began with. */
      readonly covered: LogPosition;
    }
  | { readonly name: "open"; readonly session: Session }
  | { readonly name: "closing"; readonly session: Session; readonly closing: Watched<void> };

/** The process with the engine: it opens, closes and dies, and is checked after each event. */
export class Process {
  readonly #world: World;
  #gate = new Gate();
  #backups: FlyingBackups;
  #phase: Phase = { name: "down" };
  /** Nothing took the page cache away since the last recovery: relaxed writes must be there too. */
  #hasPageCache = true;
  /** How many faults had struck when the last recovery was done. */
  #strikesAtRecovery = 0;
  /** The log may end in a torn record, which recovery in mode `absolute` refuses. */
  #mayHaveTail = false;

  constructor(world: World) {
    this.#world = world;
    this.#backups = new FlyingBackups(world, this.#gate);
  }

  get backups(): FlyingBackups {
    return this.#backups;
  }

  /** Its disk operations are done, or it waits for something else. */
  get isIdle(): boolean {
    return this.#gate.isIdle;
  }

  /** No engine has recovered the directory since it was left. */
  get isDown(): boolean {
    return this.#phase.name === "down";
  }

  /** Where an engine is open: it, and what goes on in it. */
  get session(): Session | undefined {
    return this.#phase.name === "open" ? this.#phase.session : undefined;
  }

  /** Lets the disk work as long as `allows` says so, until nothing moves any more; then looks at everything. */
  async run(allows: () => boolean): Promise<void> {
    this.#gate.openWhile(allows);
    await this.#untilStill();
    this.#gate.close();
    await this.#look();
  }

  /** Lets everything go on that needs only reads of the disk. */
  rest(): Promise<void> {
    return this.run(() => false);
  }

  /** Opens an engine if none is open, and finishes what is half done. */
  async ensureOpen(): Promise<Session> {
    for (;;) {
      const { session } = this;
      if (session !== undefined) return session;
      if (this.#phase.name === "down") await this.startOpening();
      const before = this.#phase;
      await this.run(always);
      mustHold(this.#phase !== before, "hang", () => `${before.name} the engine never ends`);
    }
  }

  async startOpening(): Promise<void> {
    if (this.#phase.name !== "down") return;
    const covered = (await findTables(this.#world.disk))?.covered ?? { lsn: 0, sequence: 0 };
    const { openEngine, engineConfig, disk, faults, time } = this.#world;
    this.#world.reopenings++;
    const { segmentMaxBytes } = this.#world.config;
    this.#world.largestSegmentBytes = Math.max(this.#world.largestSegmentBytes, segmentMaxBytes);
    const strikesBefore = faults.strikes.length; // the first operation may meet one before the call returns
    time.begin();
    const { clock } = time;
    const opening = new Watched(openEngine(engineConfig, new GatedDisk(disk, faults, this.#gate), { clock }));
    this.#phase = { name: "opening", opening, strikesBefore, covered };
  }

  startClosing(): void {
    const { session } = this;
    if (session === undefined) return;
    this.#phase = { name: "closing", session, closing: new Watched(session.engine.close()) };
  }

  /** W6: a write after close is rejected, whether the close is done or not. */
  async mustRefuseWrites(): Promise<void> {
    if (this.#phase.name !== "closing") return;
    const write = new Watched(this.#phase.session.engine.put("late", ""));
    await turn();
    mustHold(write.state === "rejected" && KayaError.is(write.error, "KAYA_CLOSED"), "wrong-refusal", () => {
      return `a write after close was ${write.state}: ${write.error}`;
    });
  }

  async ensureDown(): Promise<void> {
    if (this.#phase.name === "opening") await this.ensureOpen();
    this.startClosing();
    if (this.#phase.name !== "down") await this.run(always);
    mustHold(this.#phase.name === "down", "hang", () => "closing the engine never ends");
  }

  /**
   * The process is gone at once, whatever it was doing; with `takesPageCache` so is the machine. Then all that is left is on
   * the disk, and whatever becomes of the recovery, it must find just that (R1).
   */
  async die(takesPageCache: boolean): Promise<void> {
    const { timeline } = this.#world;
    this.#gate.die();
    await this.#backups.leave();
    this.#gate = new Gate();
    this.#backups = new FlyingBackups(this.#world, this.#gate);
    this.#phase = { name: "down" };
    this.#mayHaveTail = true;
    if (takesPageCache) this.#hasPageCache = false;
    const found = await checkLog(this.#world, this.mustHave());
    if (!takesPageCache) return;
    timeline.settleOn(found.attempts);
    timeline.recoverTo(found.lsn, found.sequence, true);
    timeline.makeDurable(found.lsn);
  }

  /** Merges take turns of the event loop, so that one turn without a move of the disk is not the end yet. */
  async #untilStill(): Promise<void> {
    let still = 0;
    for (let turns = 0; still < STILL_TURNS; turns++) {
      mustHold(turns < MOST_TURNS, "hang", () => "something goes on for ever");
      const before = this.#gate.moves;
      await turn();
      still = this.#gate.moves === before ? still + 1 : 0;
    }
  }

  /** Takes in the events since the last check. */
  async #look(): Promise<void> {
    await this.#backups.harvest();
    const phase = this.#phase;
    if (phase.name === "opening") await this.#lookAtOpening(phase);
    else if (phase.name === "open") phase.session.look(this.#gate.isIdle);
    else if (phase.name === "closing") this.#lookAtClosing(phase);
  }

  async #lookAtOpening({
    opening,
    strikesBefore,
    covered,
  }: Extract<Phase, { readonly name: "opening" }>): Promise<void> {
    const world = this.#world;
    if (opening.state === "pending") return;
    const strikes = world.faults.strikes.slice(strikesBefore);
    if (opening.state === "rejected") {
      this.#checkRefusedOpening(opening.error, strikes);
      this.#phase = { name: "down" };
      return;
    }
    // Compactions begin before the opening ends.
    const ofLog = strikes.filter(({ path }) => !isBesideTheLog(path));
    mustHold(!ofLog.some(({ operation }) => isSync(operation)), "wrong-refusal", () => {
      return `opening went on after a failed sync: ${describeStrikes(strikes)}`;
    });
    const engine = opening.value;
    const mayLackRoom = ofLog.some(({ operation }) => operation === "append" || operation === "open");
    await checkRecovery(engine, world, { mustHave: this.mustHave(), mayLackRoom, covered });
    world.unfinishedAt = mayLackRoom ? world.acknowledged : undefined;
    world.digest.add(`recovered ${engine.lastRecovery.lastLsn}`);
    this.#hasPageCache = true;
    this.#mayHaveTail = true;
    this.#strikesAtRecovery = world.faults.strikes.length;
    const session = new Session(world, engine, strikesBefore);
    this.#phase = { name: "open", session };
    session.look(this.#gate.isIdle);
    await session.reads.run({ step: "scan", range: {}, pageSize: 1000 });
  }

  #checkRefusedOpening(error: unknown, strikes: readonly Strike[]): void {
    const world = this.#world;
    world.digest.add(`not opened ${error}`);
    if (world.config.recovery === "absolute" && this.#mayHaveTail && KayaError.is(error, "KAYA_CORRUPTION")) {
      world.config = { ...world.config, recovery: "tail" };
      return;
    }
    const codes = ["KAYA_DISK_FULL", "KAYA_IO", "KAYA_FSYNC_FAILED"];
    const isExplained = KayaError.is(error) && codes.includes(error.code) && strikes.length > 0;
    mustHold(isExplained, "wrong-refusal", () => {
      return `opening was rejected with ${error}, after ${describeStrikes(strikes)}`;
    });
  }

  /** The LSN up to which a recovery must find records now. A failed sync that loses bytes is like a crash for records that were not durable. */
  mustHave(): Lsn {
    const { timeline, faults } = this.#world;
    const isWhole = this.#hasPageCache && !faults.strikes.slice(this.#strikesAtRecovery).some(lostCache);
    return isWhole ? timeline.acknowledgedLsn : timeline.durableLsn;
  }

  #lookAtClosing({ session, closing }: Extract<Phase, { readonly name: "closing" }>): void {
    const isClean = session.lookAtClosing(closing);
    if (closing.state === "pending") return;
    this.#mayHaveTail = !isClean;
    this.#phase = { name: "down" };
  }
}

/** A turn more than any step of a merge takes without its disk. */
const STILL_TURNS = 2;
const MOST_TURNS = 2_000;

function always(): boolean {
  return true;
}
