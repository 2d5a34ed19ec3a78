import { KayaError, type PartialEngineConfig } from "@kaya/core";
import { type Engine, json, verifyIndexEntries, type WriteResult } from "@kaya/engine";
import { isUnique } from "../unique-rows.js";
import { type ArmedFaults, describeStrikes } from "./armed-faults.js";
import { Gate } from "./gate.js";
import { GatedDisk } from "./gated-disk.js";
import {
  IndexedHistory,
  type Row,
  type Rows,
  type RowsAttempt,
  type RowsWrite,
  showRows,
} from "./indexed-history.js";
import { QuietableFaults } from "./quietable-faults.js";
import type { IndexStep, Step } from "./steps.js";
import { QUIET_STORE } from "./store-config.js";
import type { EngineOpener } from "./target.js";
import { mustHold, RuleBroken } from "./violation.js";
import { turn, Watched } from "./watched.js";
import { World } from "./world.js";

const PREFIX = "row:";
/** Enough for a write to a few rows, with their entries and the definitions. */
const RECORD_BYTES = 4096;
const STILL_TURNS = 2;
const MOST_TURNS = 2_000;

interface Flying {
  readonly attempt: RowsAttempt;
  readonly answer: Watched<WriteResult | undefined>;
}

interface Session {
  readonly engine: Engine;
  readonly rows: ReturnType<typeof viewOf>;
  readonly strikesBefore: number;
  readonly flying: Flying[];
  readonly builds: Watched<void>[];
  hasLate: boolean;
}

/**
 * A store of rows with indexes, on a disk of its own, beside the store that the other steps write to. So the model of that one stays exact. What the other
 * steps do to their store and its process, they do to this one too: progress, flushes, faults, crashes, reopenings.
 */
export class IndexedStore {
  readonly #world: World;
  readonly #main: World;
  readonly #faults = new QuietableFaults();
  readonly #history = new IndexedHistory();
  #gate = new Gate();
  #session: Session | undefined;
  /** Of the index that is declared later; 0 where none ever was. */
  #lateVersion = 0;

  constructor(main: World, seed: number, openEngine: EngineOpener) {
    this.#main = main;
    const { config, store } = main;
    this.#world = new World({ seed, config, ...(store !== undefined && { store }), steps: [] }, openEngine);
  }

  async run(step: IndexStep): Promise<void> {
    switch (step.step) {
      case "index-write":
        return this.#write({ changes: step.rows, durability: step.durability }, step.inTransaction === true);
      case "index-clear":
        return this.#write({ changes: "clear", durability: step.durability }, false);
      case "index-build":
        return this.#build();
      case "index-verify":
        return this.verify();
    }
  }

  /** Applies a step to this store too, if it concerns the machine, the process or the engine. */
  async follow(step: Step): Promise<void> {
    switch (step.step) {
      case "advance": {
        let left = step.operations;
        return this.#run(() => left-- > 0);
      }
      case "settle":
        return this.#run(step.writes === undefined ? always : this.#untilAnswered(step.writes));
      case "flush":
        return this.#start((engine) => engine.flush());
      case "compact":
        return this.#start((engine) => engine.compact());
      case "sync":
        return this.#start((engine) => engine.sync());
      case "fault":
        return this.#faults.arm(step, step.next);
      case "close":
      case "reopen":
        return this.#close();
      case "crash":
        this.#world.disk.crash(
          step.survive === "random" ? { survive: "random", seed: step.seed } : { survive: step.survive },
        );
        this.#history.losePageCache();
        return this.#die();
      case "kill":
        return this.#kill();
    }
  }

  /** Everything is answered, all indexes are built, and they agree with the rows, which are what the history says. */
  async verify(): Promise<void> {
    const session = await this.#ensureOpen();
    await this.#run(always);
    mustHold(session.flying.length === 0, "hang", () => "a write to rows with indexes has no answer");
    if (session.engine.state === "failed") return;
    await this.#faults.quietly(() => this.#compare(session));
  }

  async #compare({ engine, rows: view, hasLate }: Session): Promise<void> {
    await this.#mustAgree(view);
    if (hasLate) await this.#mustAgree(lateViewOf(engine, this.#lateVersion));
    const rows = await rowsOf(view);
    mustHold(showRows(rows) === showRows(this.#history.projected), "wrong-read", () => {
      return `rows with indexes are ${showRows(rows)}, not ${showRows(this.#history.projected)}`;
    });
    for (const [key, { unique }] of rows) {
      if (unique === undefined) continue;
      const found = await view.index("unique").get(unique);
      mustHold(found?.key === key, "wrong-read", () => {
        return `the unique key ${unique} leads to the row ${found?.key}, and the row ${key} has it`;
      });
    }
  }

  /** At the end of a run. */
  async lookBack(): Promise<void> {
    await this.verify();
    await this.follow({ step: "crash", survive: "nothing" });
    await this.verify();
    this.#main.digest.add(`indexed ${this.#world.disk.nextOperation}`);
  }

  async #write(write: RowsWrite, inTransaction: boolean): Promise<void> {
    const session = await this.#ensureOpen();
    // Its place among the writes is where it commits: nothing else is under way then.
    if (inTransaction) await this.#run(always);
    if (session.engine.state === "failed") return;
    const attempt = this.#history.begin(write);
    const answer = new Watched<WriteResult | undefined>(
      inTransaction ? transact(session, write) : start(session, write),
    );
    session.flying.push({ attempt, answer });
    return this.#run(never);
  }

  /** Declares one more index over the rows that are there; where it is declared already, with another version, which a process begins with. */
  async #build(): Promise<void> {
    if (this.#lateVersion > 0) await this.#close();
    this.#lateVersion++;
    const session = await this.#ensureOpen();
    session.hasLate = true;
    session.builds.push(new Watched(lateViewOf(session.engine, this.#lateVersion).ready()));
    return this.#run(never);
  }

  async #start(call: (engine: Engine) => Promise<unknown>): Promise<void> {
    const { engine, builds } = await this.#ensureOpen();
    builds.push(new Watched(call(engine).then(() => undefined)));
    return this.#run(never);
  }

  async #ensureOpen(): Promise<Session> {
    if (this.#session?.engine.state === "failed") await this.#kill();
    if (this.#session !== undefined) return this.#session;
    const { disk, time } = this.#world;
    return this.#faults.quietly(async () => {
      const { clock } = time;
      const gated = new GatedDisk(disk, this.#faults, this.#gate);
      const opening = new Watched(this.#world.openEngine(this.#config, gated, { clock }));
      await this.#run(always);
      mustHold(opening.state === "resolved", "wrong-refusal", () => {
        return `a store of rows with indexes was not opened: ${opening.state}, ${opening.error}`;
      });
      const engine = opening.value;
      const hasLate = this.#lateVersion > 0;
      const found = await this.#mustBeSound(engine);
      mustHold(this.#history.recoverTo(found), "acknowledged-lost", () => {
        return `a recovery found the rows ${showRows(found)}, which no prefix of the writes with all that is durable leaves`;
      });
      this.#main.digest.add(`indexed rows ${showRows(found)}`);
      const rows = viewOf(engine);
      if (hasLate) lateViewOf(engine, this.#lateVersion);
      const strikesBefore = this.#faults.strikes.length;
      const session: Session = { engine, rows, strikesBefore, flying: [], builds: [], hasLate };
      this.#session = session;
      await this.#mustAgree(rows);
      return session;
    });
  }

  /** What holds of each state, whether its indexes are built or not. */
  async #mustBeSound(engine: Engine): Promise<Rows> {
    const { problems } = await verifyIndexEntries(engine);
    mustHold(problems.length === 0, "wrong-read", () => `a recovery found ${problems[0]?.message}`);
    const rows = await rowsOf(plainViewOf(engine));
    mustHold(
      isUnique(rows),
      "wrong-read",
      () => `a recovery found rows that share a unique key: ${showRows(rows)}`,
    );
    return rows;
  }

  async #mustAgree(rows: Pick<Session["rows"], "verifyIndexes">): Promise<void> {
    const verification = new Watched(rows.verifyIndexes());
    await this.#run(always);
    mustHold(verification.state === "resolved", "wrong-refusal", () => {
      return `indexes were not verified: ${verification.state}, ${verification.error}`;
    });
    const { problems } = verification.value;
    mustHold(
      problems.length === 0,
      "wrong-read",
      () => `an index disagrees with its rows: ${problems[0]?.message}`,
    );
  }

  async #close(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    await this.#run(always);
    const closing = new Watched(session.engine.close());
    await this.#run(always);
    mustHold(closing.state !== "pending", "hang", () => "closing a store of rows with indexes never ends");
    if (closing.state === "resolved" && strikesOf(this.#faults, session).length === 0)
      this.#history.makeAcknowledgedDurable();
    // It is down, and so is all that it had under way.
    return this.#die();
  }

  async #kill(): Promise<void> {
    const session = this.#session;
    if (session !== undefined && strikesOf(this.#faults, session).length === 0)
      this.#history.leavePageCache();
    this.#world.disk.killProcess();
    return this.#die();
  }

  #die(): void {
    this.#gate.die();
    this.#gate = new Gate();
    this.#session = undefined;
  }

  /** Lets the disk work as long as `allows` says so, until nothing moves any more; then takes in the answers. */
  async #run(allows: () => boolean): Promise<void> {
    this.#gate.openWhile(allows);
    let still = 0;
    for (let turns = 0; still < STILL_TURNS; turns++) {
      mustHold(
        turns < MOST_TURNS,
        "hang",
        () => "something goes on for ever in a store of rows with indexes",
      );
      const before = this.#gate.moves;
      await turn();
      still = this.#gate.moves === before ? still + 1 : 0;
    }
    this.#gate.close();
    if (this.#session !== undefined) this.#harvest(this.#session);
  }

  #untilAnswered(count: number): () => boolean {
    const flying = this.#session?.flying.slice(0, count) ?? [];
    return () => flying.some(({ answer }) => answer.state === "pending");
  }

  #harvest(session: Session): void {
    const settled = session.flying.filter(({ answer }) => answer.state !== "pending");
    for (const flying of settled) {
      session.flying.splice(session.flying.indexOf(flying), 1);
      this.#take(flying, session);
    }
    const failed = session.builds.find(({ state }) => state === "rejected");
    mustHold(failed === undefined || strikesOf(this.#faults, session).length > 0, "wrong-refusal", () => {
      return `a build, a sync, a flush or a compaction failed for no reason: ${failed?.error}`;
    });
  }

  #take({ attempt, answer }: Flying, session: Session): void {
    const strikes = strikesOf(this.#faults, session);
    if (answer.state === "resolved") {
      // A write that it was in conflict with may have been taken back since.
      mustHold(!attempt.isBreaking || strikes.length > 0, "wrong-answer", () => {
        return `a write was taken that gives two rows one unique key: ${JSON.stringify(attempt.changes)}`;
      });
      this.#main.digest.add(`indexed ${answer.value?.lsn}`);
      this.#main.indexedWrites++;
      this.#history.acknowledge(attempt);
      return;
    }
    const { error } = answer;
    this.#main.digest.add(`not indexed ${error}`);
    if (!KayaError.is(error)) throw error;
    const isExplained = strikes.length > 0 || (error.code === "KAYA_NOT_UNIQUE" && attempt.isBreaking);
    mustHold(isExplained, "wrong-refusal", () => {
      return `a write of ${JSON.stringify(attempt.changes)} was rejected with ${error}, after ${describeStrikes(strikes)}`;
    });
    if (error.code === "KAYA_NOT_UNIQUE") this.#main.indexedRefusals++;
    const mayBeThere = error.code !== "KAYA_NOT_UNIQUE" && session.engine.failure !== undefined;
    attempt.answer = mayBeThere ? "doubtful" : "refused";
  }

  get #config(): PartialEngineConfig {
    const { config, store = QUIET_STORE } = this.#main;
    const { maxRecordBytes = 0, segmentMaxBytes = 0 } = config;
    return {
      ...store,
      wal: {
        ...config,
        maxRecordBytes: RECORD_BYTES,
        segmentMaxBytes: RECORD_BYTES + (segmentMaxBytes - maxRecordBytes),
        recovery: "tail",
      },
    };
  }
}

function strikesOf(faults: ArmedFaults, { strikesBefore }: Session) {
  return faults.strikes.slice(strikesBefore);
}

function viewOf(engine: Engine) {
  return engine.view({
    prefix: PREFIX,
    key: "utf8",
    value: json<Row>(),
    indexes: { unique: { of: (row) => row.unique, unique: true }, many: { each: (row) => row.many } },
  });
}

function lateViewOf(engine: Engine, version: number) {
  const late = { each: (row: Row) => row.many.map((key) => `${key}.${version}`), version };
  return engine.view({ prefix: PREFIX, key: "utf8", value: json<Row>(), indexes: { late } });
}

/** The same rows, of who only reads them. */
function plainViewOf(engine: Engine) {
  return engine.view({ prefix: PREFIX, key: "utf8", value: json<Row>() });
}

async function rowsOf(view: ReturnType<typeof plainViewOf>): Promise<Rows> {
  const rows = new Map<string, Row>();
  for await (const { key, value } of view.scan()) rows.set(key, value);
  return rows;
}

function start({ rows }: Session, { changes, durability }: RowsWrite): Promise<WriteResult> {
  const options = { durability };
  if (changes === "clear") return rows.clear({}, options);
  const [first] = changes;
  if (first !== undefined && changes.length === 1)
    return first.row === undefined
      ? rows.delete(first.key, options)
      : rows.put(first.key, first.row, options);
  const operations = changes.map(({ key, row }) =>
    row === undefined ? ({ type: "delete", key } as const) : ({ type: "put", key, value: row } as const),
  );
  return rows.batch(operations, options);
}

async function transact({ engine, rows }: Session, { changes, durability }: RowsWrite): Promise<undefined> {
  if (changes === "clear") throw new RuleBroken("unexpected-error", "no transaction clears the rows");
  await engine.transact(
    async (tx) => {
      const own = rows.in(tx);
      for (const { key, row } of changes) {
        await own.get(key);
        if (row === undefined) own.delete(key);
        else own.put(key, row);
      }
    },
    { durability },
  );
}

function always(): boolean {
  return true;
}

function never(): boolean {
  return false;
}
