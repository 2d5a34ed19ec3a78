import { KayaError, type Lsn } from "@kaya/core";
import type { Engine, EngineStats, WriteResult } from "@kaya/engine";
import { quote, toBytes, toText } from "./bytes.js";
import { type Broken, conditionOf, type ExpectedCondition, firstBroken } from "./conditions.js";
import { FlyingConflicts } from "./flying-conflicts.js";
import { FlyingFailures } from "./flying-failures.js";
import { FlyingFlushes } from "./flying-flushes.js";
import { FlyingSyncs } from "./flying-syncs.js";
import { SimulatedTransaction } from "./simulated-transaction.js";
import { type Change, isRange } from "./state.js";
import type { CompactStep, OpenTransactionStep, StepCondition, WriteStep } from "./steps.js";
import type { Attempt } from "./timeline.js";
import { mustHold, RuleBroken } from "./violation.js";
import { turn, Watched } from "./watched.js";
import type { World } from "./world.js";
import { changesOf, recordLength, startWrite, writeNow } from "./write-input.js";

interface FlyingWrite {
  readonly attempt: Attempt;
  readonly strict: boolean;
  readonly answer: Watched<WriteResult>;
}

/** A write rejected with this was undone (W3); the engine goes on. */
const TAKEN_BACK = ["KAYA_DISK_FULL", "KAYA_IO"];

/** A write rejected with this may be in the log or not (W4); the engine has failed. */
const UNCERTAIN = ["KAYA_FSYNC_FAILED", "KAYA_WRITER_FAILED"];

/** A transaction's reads are checked when it gets its place, like conditions. */
const READ: readonly StepCondition[] = [{ key: "", is: "as-read" }];

/** The writes and syncs of one process that are not answered yet. */
export class InFlight {
  readonly #world: World;
  readonly #engine: Engine;
  readonly #mayOthersUseLog: () => boolean;
  #writes: FlyingWrite[] = [];
  readonly #syncs: FlyingSyncs;
  readonly #conflicts: FlyingConflicts;
  readonly #failures: FlyingFailures;
  readonly #flushes: FlyingFlushes;
  #answered = 0;
  /** How many faults had struck when nothing was in flight: a rejection takes a later one. */
  #strikesAtRest = 0;

  /** @param mayOthersUseLog whether somebody who follows the log has something under way there too */
  constructor(world: World, engine: Engine, mayOthersUseLog: () => boolean) {
    this.#world = world;
    this.#engine = engine;
    this.#mayOthersUseLog = mayOthersUseLog;
    this.#syncs = new FlyingSyncs(world, engine);
    this.#conflicts = new FlyingConflicts(world);
    this.#failures = new FlyingFailures(world);
    this.#flushes = new FlyingFlushes(world, engine);
  }

  get writes(): number {
    return this.#writes.length;
  }

  get isEmpty(): boolean {
    return (
      this.#writes.length === 0 &&
      this.#conflicts.isEmpty &&
      this.#failures.isEmpty &&
      this.#syncs.isEmpty &&
      this.#flushes.isEmpty
    );
  }

  /** Answers that came since the last `harvest`. */
  get answered(): number {
    return this.#answered;
  }

  /** A clear of several records is, or may be, between them: readers may see a part of it. */
  get isBlurred(): boolean {
    const oldest = this.#writes[0]?.attempt;
    return oldest !== undefined && oldest.lastLsn > oldest.firstLsn;
  }

  async start(step: WriteStep): Promise<void> {
    this.#noteRest();
    const { timeline } = this.#world;
    const { now } = this.#world.time;
    const changes = changesOf(step, () => timeline.projected(), now);
    const before = this.#engine.stats();
    const given = step.step === "batch" ? (step.conditions ?? []) : [];
    const conditions = this.#world.faults.calmly(() =>
      given.map((condition) => conditionOf(condition, this.#engine, timeline)),
    );
    const strikesBefore = this.#world.faults.strikes.length;
    const broken = this.#engine.failure === undefined ? firstBroken(conditions, timeline) : undefined;
    if ("now" in step && step.now) {
      await this.#writeNow(step, { changes, conditions, broken, before, strikesBefore });
      return;
    }
    const write = startWrite(this.#engine, step, changes, conditions, now, () => timeline.projected());
    if (broken !== undefined) {
      this.#conflicts.add(broken, new Watched(write));
      await turn();
      return;
    }
    const answer = new Watched(write, () => this.#answered++);
    // What has to be read from tables before it gets its place is read now: nothing else moves.
    if (conditions.length > 0 || isLimitedClear(step) || step.step === "update") await turn();
    if (answer.error instanceof RuleBroken) throw answer.error;
    const after = this.#engine.stats();
    if (after.lastLsn === before.lastLsn) {
      await this.#mustBeRefused(step, changes, answer, { before, strikesBefore });
      return;
    }
    const attempt = attemptBehind(before, after.lastLsn, changes);
    this.#checkPlace(step, attempt, after.lastSequence);
    timeline.add(attempt);
    const strict = step.durability === "strict";
    this.#writes.push({ attempt, strict, answer });
  }

  open(step: OpenTransactionStep, world: World, engine: Engine): SimulatedTransaction {
    return new SimulatedTransaction(world, engine, step, () => this.#answered++);
  }

  /** A transaction's function ends: the transaction gets its place in this turn, or an answer, or it must wait for one. */
  async end(transaction: SimulatedTransaction, fails: boolean): Promise<void> {
    this.#noteRest();
    const { timeline } = this.#world;
    const before = this.#engine.stats();
    const strikesBefore = this.#world.faults.strikes.length;
    transaction.finish(fails);
    // What has to be read from tables before it gets its place is read now: nothing else moves.
    await turn();
    const { changes, strict, answer } = transaction;
    const step = { step: "batch", id: 0, operations: [], conditions: READ, durability: "strict" } as const;
    const after = this.#engine.stats();
    if (after.lastLsn === before.lastLsn) {
      if (this.#engine.failure === undefined && transaction.mustWait) {
        const { failure } = transaction;
        mustHold(this.#couldNotRead(strikesBefore, failure?.error), "wrong-read", () => {
          return `a transaction could not read, and no fault had struck: ${failure?.error}`;
        });
        mustHold(answer.state === "pending", "wrong-answer", () => {
          return `a transaction read writes under way, and was ${answer.state} before they were answered: ${answer.error}`;
        });
        this.#failures.add(transaction);
        return;
      }
      if (!transaction.isExplained())
        await this.#mustBeRefused(step, changes, answer, { before, strikesBefore });
      return;
    }
    const attempt = attemptBehind(before, after.lastLsn, changes);
    this.#checkPlace(step, attempt, after.lastSequence);
    transaction.placed(attempt, timeline.projected());
    timeline.add(attempt);
    this.#writes.push({ attempt, strict, answer });
  }

  /** A write that is done when its call returns, and so is all that was in flight; or it is KAYA_BUSY, and nothing. */
  async #writeNow(step: WriteStep, planned: PlannedWrite): Promise<void> {
    const { changes, conditions, broken, before, strikesBefore } = planned;
    const { timeline } = this.#world;
    const mayBeBusy = !this.isEmpty || before.flush.isRunning || this.#mayOthersUseLog();
    let after: EngineStats | undefined;
    // What it reads when it is refused: earlier writes are applied by then.
    let found = before;
    const call = async () => {
      try {
        const result = writeNow(this.#engine, step, changes, conditions, this.#world.time.now);
        after = this.#engine.stats();
        if (changes.length > 0) this.#mustShow(planned, step);
        return result;
      } finally {
        found = this.#engine.stats();
      }
    };
    const answer = new Watched(call(), () => this.#answered++);
    await turn();
    const { error } = answer;
    if (error instanceof RuleBroken) throw error;
    if (KayaError.is(error, "KAYA_BUSY")) {
      this.#checkBusy(error, before, mayBeBusy);
      return;
    }
    if (broken !== undefined) {
      this.#conflicts.add(broken, answer);
      return;
    }
    if (answer.state === "rejected" && this.#isRefusal(error, before, strikesBefore)) {
      await this.#mustBeRefused(step, changes, answer, { before: found, strikesBefore });
      return;
    }
    if (answer.state === "resolved" && after?.lastLsn === before.lastLsn) {
      mustHold(
        changes.length === 0,
        "wrong-answer",
        () => `the ${step.step} got no LSN and was acknowledged`,
      );
      return;
    }
    const attempt = attemptBehind(before, before.lastLsn + 1, changes);
    if (after !== undefined) this.#checkPlace(step, attempt, after.lastSequence);
    timeline.add(attempt);
    this.#writes.push({ attempt, strict: step.durability === "strict", answer });
    const waits = () => `a ${step.step} that was done at once left a write before it without an answer`;
    mustHold(
      this.#writes.every((write) => write.answer.state !== "pending"),
      "wrong-answer",
      waits,
    );
  }

  /** A synchronous write is readable at once, on top of all writes in flight. */
  #mustShow({ changes, before }: PlannedWrite, step: WriteStep): void {
    const state = this.#world.timeline.projected(changes);
    const keys = changes.flatMap((change) => (isRange(change) ? [] : [change.key]));
    this.#world.faults.calmly(() => {
      for (const key of keys) {
        const value = this.#engine.getSync(toBytes(key));
        const found = value === undefined ? undefined : toText(value);
        mustHold(found === state.get(key), "wrong-read", () => {
          return `the ${step.step} behind LSN ${before.lastLsn} has returned, and ${quote(key)} reads as something else`;
        });
      }
    });
  }

  #checkBusy(error: KayaError, before: EngineStats, mayBeBusy: boolean): void {
    this.#answered = 0;
    this.#world.digest.add("busy");
    const { lastLsn, memtable } = this.#engine.stats();
    mustHold(
      lastLsn === before.lastLsn,
      "wrong-answer",
      () => `a write got LSN ${lastLsn} and was told: ${error}`,
    );
    const isUsedUp = memtable.bytes >= memtable.limitBytes;
    const isExplained = mayBeBusy || isUsedUp || this.#world.unfinishedAt === this.#world.acknowledged;
    mustHold(isExplained, "wrong-refusal", () => `nothing was under way, and a write was told: ${error}`);
  }

  /** It never got a place in the log. */
  #isRefusal(error: unknown, before: EngineStats, strikesBefore: number): boolean {
    if (isForRoom(error) || KayaError.is(error, "KAYA_INVALID_ARGUMENT")) return true;
    if (before.state === "failed") return true;
    const strikes = this.#world.faults.strikes.slice(strikesBefore);
    return strikes.length > 0 && strikes.every(({ operation }) => operation === "readAt");
  }

  async sync(): Promise<void> {
    this.#noteRest();
    if (this.#engine.failure === undefined) {
      this.#syncs.start();
      return;
    }
    const answer = new Watched(this.#engine.sync());
    await turn();
    this.#mustNameFailure(answer, "a sync");
  }

  flush(): void {
    this.#noteRest();
    this.#flushes.flush();
  }

  compact(step: CompactStep): void {
    this.#noteRest();
    this.#flushes.compact(step);
  }

  /** Takes in the answers. They must come in the order of the writes, with what was foreseen or with a reason. */
  harvest(): void {
    this.#answered = 0;
    const answered = this.#writes.findIndex(({ answer }) => answer.state !== "resolved");
    const resolved = this.#writes.splice(0, answered < 0 ? this.#writes.length : answered);
    for (const write of resolved) this.#acknowledge(write);
    if (this.#writes.some(({ answer }) => answer.state !== "pending")) this.#takeRejections();
    this.#conflicts.harvest((error, what) => this.#mustHaveReason(error, what));
    this.#failures.harvest((error, what) => this.#mustHaveReason(error, what));
    this.#syncs.harvest((error, what) => this.#mustHaveReason(error, what));
    this.#flushes.harvest((error, what) => this.#mustHaveStruck(error, what));
  }

  #noteRest(): void {
    // A flush that the engine makes by itself is in flight too: what strikes it may take a write along.
    const { flush, tables } = this.#engine.stats();
    const isAtRest = this.isEmpty && !flush.isRunning && !tables.isCompacting && !this.#mayOthersUseLog();
    if (isAtRest) this.#strikesAtRest = this.#world.faults.strikes.length;
  }

  #checkPlace(step: WriteStep, attempt: Attempt, lastSequence: number): void {
    const { timeline } = this.#world;
    mustHold(attempt.firstLsn === timeline.lastLsn + 1, "wrong-answer", () => {
      return `the ${step.step} got LSN ${attempt.firstLsn} behind LSN ${timeline.lastLsn}`;
    });
    mustHold(attempt.firstLsn === attempt.lastLsn || isLimitedClear(step), "wrong-answer", () => {
      return `the ${step.step} took LSN ${attempt.firstLsn} to ${attempt.lastLsn}`;
    });
    mustHold(lastSequence === attempt.lastSequence, "wrong-answer", () => {
      return `the ${step.step} at LSN ${attempt.firstLsn} took the sequences to ${lastSequence}, not ${attempt.lastSequence}`;
    });
  }

  async #mustBeRefused(
    step: WriteStep,
    changes: readonly Change[],
    answer: Watched<WriteResult>,
    { before, strikesBefore }: { readonly before: EngineStats; readonly strikesBefore: number },
  ): Promise<void> {
    await turn();
    this.#answered = 0;
    this.#world.digest.add(`refused ${answer.error}`);
    if (answer.state === "rejected" && isForRoom(answer.error)) {
      mustLackRoom(before, answer.error);
      return;
    }
    if (answer.state === "rejected" && this.#couldNotRead(strikesBefore, answer.error)) return;
    // Its conditions were read in a turn of its own: it had its place in that turn, and was taken back in it.
    const hadTurn =
      step.step === "update" ||
      ("conditions" in step && step.conditions !== undefined && step.conditions.length > 0);
    const struck = this.#world.faults.strikes.length > strikesBefore;
    if (hadTurn && struck && this.#engine.failure === undefined && isTakenBack(answer.error)) return;
    if (answer.state === "rejected" && KayaError.is(answer.error, "KAYA_INVALID_ARGUMENT")) {
      const { timeline, config } = this.#world;
      const length = isLimitedClear(step)
        ? 0
        : recordLength(step, changes, timeline.lastLsn + 1, timeline.lastSequence + 1);
      mustHold(length > config.maxRecordBytes, "wrong-refusal", () => {
        return `a ${step.step} of ${length} bytes was refused with maxRecordBytes ${config.maxRecordBytes}: ${answer.error}`;
      });
      return;
    }
    this.#mustNameFailure(answer, `a ${step.step}`);
  }

  /** A table that it needed could not be read. */
  #couldNotRead(strikesBefore: number, error: unknown): boolean {
    const strikes = this.#world.faults.strikes.slice(strikesBefore);
    return strikes.some(({ operation }) => operation === "readAt") && KayaError.is(error, "KAYA_IO");
  }

  /** W4: after the engine failed, calls are rejected with the first failure as the cause. */
  #mustNameFailure(answer: Watched<unknown>, what: string): void {
    const { failure } = this.#engine;
    mustHold(answer.state !== "pending", "hang", () => `${what} got no LSN and no answer`);
    mustHold(failure !== undefined && answer.state === "rejected", "wrong-refusal", () => {
      return `${what} was ${answer.state} without an LSN, the engine is ${this.#engine.state}: ${answer.error}`;
    });
    const { error } = answer;
    mustHold(KayaError.is(error, "KAYA_WRITER_FAILED") && error.cause === failure, "wrong-refusal", () => {
      return `${what} after a failure must be rejected with KAYA_WRITER_FAILED because of ${failure}, not with ${error}`;
    });
  }

  #acknowledge({ attempt, strict, answer }: FlyingWrite): void {
    const { lsn, sequence, durable } = answer.value;
    mustHold(lsn === attempt.lastLsn && sequence === attempt.firstSequence, "wrong-answer", () => {
      return `LSN ${attempt.lastLsn}, sequence ${attempt.firstSequence} was told LSN ${lsn}, sequence ${sequence}`;
    });
    mustHold(
      durable || !strict,
      "wrong-answer",
      () => `the strict write at LSN ${lsn} was told that it is not durable`,
    );
    mustHold(!durable || this.#engine.stats().durableLsn >= lsn, "wrong-account", () => {
      return `LSN ${lsn} was told that it is durable; stats() says that LSN ${this.#engine.stats().durableLsn} is`;
    });
    this.#world.timeline.acknowledgeNext(durable);
    this.#world.acknowledged++;
    this.#world.digest.add(`acknowledged ${lsn} ${sequence} ${durable}`);
  }

  /** One failure takes all that is in flight, whether it can be undone (W3) or not (W4). */
  #takeRejections(): void {
    const { timeline, digest } = this.#world;
    const rejected = this.#writes.splice(0);
    for (const { attempt, answer } of rejected) {
      const what = `the write at LSN ${attempt.firstLsn}`;
      mustHold(answer.state === "rejected", "wrong-answer", () => {
        return `${what} is ${answer.state}, but one before or behind it is not: answers are out of order`;
      });
      this.#mustHaveReason(answer.error, what);
      digest.add(`rejected ${attempt.firstLsn} ${String(answer.error)}`);
    }
    const oldest = rejected[0];
    if (this.#engine.failure === undefined || isTakenBack(oldest?.answer.error)) {
      const { lastLsn, lastSequence } = this.#engine.stats();
      timeline.takeBack(lastLsn, lastSequence);
      this.#flushes.takeBackTo(lastLsn);
    } else if (oldest !== undefined && oldest.attempt.lastLsn > oldest.attempt.firstLsn) {
      timeline.show(this.#visiblePart(oldest.attempt));
    }
  }

  #mustHaveReason(error: unknown, what: string): void {
    const { failure } = this.#engine;
    // The next flush begins where one failed: its rotation may fail for good once all was taken back. So may what
    // those who follow the log ask of it.
    // And where two faults struck, what came after the write that was taken back may have met the second.
    const haveTwoStruck = this.#world.faults.strikes.length > this.#strikesAtRest + 1;
    const mayBeTakenBack =
      failure === undefined ||
      haveTwoStruck ||
      !this.#flushes.isEmpty ||
      this.#world.hasAutomaticFlushes ||
      this.#mayOthersUseLog();
    const isUncertain = failure !== undefined && KayaError.is(error) && UNCERTAIN.includes(error.code);
    mustHold(isUncertain || (mayBeTakenBack && isTakenBack(error)), "wrong-refusal", () => {
      return `${what} was rejected with ${error}, and the engine's failure is ${failure}`;
    });
    this.#mustHaveStruck(error, what);
  }

  #mustHaveStruck(error: unknown, what: string): void {
    mustHold(this.#world.faults.strikes.length > this.#strikesAtRest, "wrong-refusal", () => {
      return `${what} was rejected, and no fault had struck while it was in flight: ${error}`;
    });
  }

  /** The deletes of a failed clear that readers see: those before the first key that is still there. */
  #visiblePart({ changes }: Attempt): readonly Change[] {
    if (this.#engine.state === "closed") return [];
    const firstLeft = changes.findIndex((change) => !isRange(change) && this.#isThere(change.key));
    return firstLeft < 0 ? changes : changes.slice(0, firstLeft);
  }

  #isThere(key: string): boolean {
    return this.#world.faults.calmly(() => this.#engine.getSync(toBytes(key)) !== undefined);
  }
}

interface PlannedWrite {
  readonly changes: readonly Change[];
  readonly conditions: readonly ExpectedCondition[];
  readonly broken: Broken | undefined;
  readonly before: EngineStats;
  readonly strikesBefore: number;
}

function attemptBehind(
  { lastLsn: lsn, lastSequence: sequence }: EngineStats,
  lastLsn: Lsn,
  changes: readonly Change[],
): Attempt {
  return {
    firstLsn: lsn + 1,
    lastLsn,
    firstSequence: sequence + 1,
    lastSequence: sequence + Math.max(1, changes.length),
    changes,
  };
}

/** Its keys are looked up before it is written. */
function isLimitedClear(step: WriteStep): boolean {
  return step.step === "clear" && step.range.limit !== undefined;
}

/** L7: both memtables are full, and flushing fails. */
function isForRoom(error: unknown): error is KayaError {
  return KayaError.is(error) && error.message.startsWith("nothing was written: memory.memtableBytes");
}

function mustLackRoom({ memtable, flush }: EngineStats, error: KayaError): void {
  const { bytes, sealedBytes, limitBytes } = memtable;
  const isFull = sealedBytes > 0 && bytes - sealedBytes >= limitBytes / 2;
  mustHold(flush.error !== undefined && error.cause === flush.error && isFull, "wrong-refusal", () => {
    return `a write was refused for want of room: ${bytes} of ${limitBytes} bytes are taken, ${sealedBytes} of them sealed; the last flush: ${flush.error}`;
  });
}

function isTakenBack(error: unknown): boolean {
  return KayaError.is(error) && TAKEN_BACK.includes(error.code);
}
