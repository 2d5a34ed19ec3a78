import { KayaError } from "@kaya/core";
import { Gate } from "./gate.js";
import { GatedDisk } from "./gated-disk.js";
import { IndexedStore } from "./indexed-store.js";
import { lookBeside } from "./look-beside.js";
import { Process } from "./process.js";
import { recoverSomewhere } from "./recover-to.js";
import { failedResult, passedResult, type SimulationResult } from "./result.js";
import type { Session } from "./session.js";
import type {
  ConsumerStep,
  CopyStep,
  IndexStep,
  LifeStep,
  ProgressStep,
  ReadStep,
  Step,
  TransactionStep,
} from "./steps.js";
import { openerOf, type SimulationTarget } from "./target.js";
import type { Trace } from "./trace.js";
import { mustHold } from "./violation.js";
import { Watched } from "./watched.js";
import { World } from "./world.js";

/**
 * Replays a trace: carries out its steps and compares everything with the model. The same trace gives the same result.
 * Every step makes sense after every other one, so any part of a trace is a trace.
 */
export async function runTrace(trace: Trace, target: SimulationTarget = {}): Promise<SimulationResult> {
  const openEngine = openerOf(target);
  const world = new World(trace, openEngine);
  const process = new Process(world);
  let indexed: IndexedStore | undefined;
  let index = 0;
  try {
    for (const step of trace.steps) {
      if (isIndexStep(step)) {
        indexed ??= new IndexedStore(world, trace.seed, openEngine);
        await indexed.run(step);
      } else {
        await carryOut(step, process, world);
        await indexed?.follow(step);
      }
      index++;
    }
    await lookBack(process, world);
    await indexed?.lookBack();
    return passedResult(trace, world);
  } catch (error) {
    return failedResult(trace, world, index, error);
  }
}

/** At the end: all is answered, and a power cut that loses everything unsynced loses nothing promised. */
async function lookBack(process: Process, world: World): Promise<void> {
  await process.ensureOpen();
  await carryOut({ step: "settle" }, process, world);
  await carryOut({ step: "crash", survive: "nothing" }, process, world);
  await process.ensureOpen();
}

function isIndexStep(step: Step): step is IndexStep {
  return step.step.startsWith("index-");
}

async function carryOut(step: Exclude<Step, IndexStep>, process: Process, world: World): Promise<void> {
  switch (step.step) {
    case "put":
    case "delete":
    case "batch":
    case "clear":
    case "update": {
      const { inFlight } = await process.ensureOpen();
      await inFlight.start(step);
      return process.rest();
    }
    case "sync":
    case "flush":
    case "compact":
    case "advance":
    case "settle":
      return makeProgress(step, process);
    case "follow":
    case "unfollow": {
      const { followed } = await process.ensureOpen();
      if (step.step === "follow") followed.start();
      else followed.stop();
      return process.rest();
    }
    case "add-consumer":
    case "remove-consumer":
    case "consume":
    case "acknowledge":
      return consume(step, process);
    case "backup":
    case "cancel-backup":
    case "recover-to":
    case "look":
      return copy(step, process, world);
    case "open-transaction":
    case "transaction-get":
    case "transaction-scan":
    case "transaction-write":
    case "end-transaction":
      return transact(step, process);
    case "fault":
      return world.faults.arm(step, step.next);
    case "time":
      world.time.pass(step.ms, step.jump ?? 0);
      world.digest.add(`time ${world.time.now}`);
      return process.rest();
    case "crash":
    case "kill":
    case "close":
    case "reopen":
    case "intrude":
      return changeLife(step, process, world);
    default:
      return read(step, process);
  }
}

async function makeProgress(step: ProgressStep, process: Process): Promise<void> {
  if (step.step === "advance") {
    let left = step.operations;
    return process.run(() => left-- > 0);
  }
  const { inFlight, consumers, engine } = await process.ensureOpen();
  if (step.step !== "settle") {
    if (step.step === "sync") await inFlight.sync();
    else if (step.step === "flush") inFlight.flush();
    else inFlight.compact(step);
    return process.rest();
  }
  const before = inFlight.writes;
  const wanted = Math.min(step.writes ?? before, before);
  await process.run(step.writes === undefined ? () => true : () => inFlight.answered < wanted);
  const answered = before - inFlight.writes;
  mustHold(answered >= wanted, "hang", () => `${wanted} writes were to be answered, and ${answered} are`);
  if (step.writes !== undefined) return;
  mustHold(inFlight.isEmpty, "hang", () => "a sync, a flush or a compaction has no answer");
  mustHold(!consumers.areWaiting, "hang", () => "a consumer has no answer");
  consumers.mustBeCaughtUp();
  mustHold(process.backups.isEmpty, "hang", () => "a backup has no answer");
  const { flush, tables } = engine.stats();
  mustHold(!flush.isRunning && !tables.isCompacting, "hang", () => "a flush or a compaction never ends");
}

async function read(step: ReadStep, process: Process): Promise<void> {
  const { reads } = await openWithoutBlur(process);
  await reads.run(step);
}

/** What readers see is known then. */
async function openWithoutBlur(process: Process): Promise<Session> {
  const session = await process.ensureOpen();
  const { inFlight } = session;
  if (inFlight.isBlurred) await process.run(() => inFlight.answered === 0);
  return session;
}

async function transact(step: TransactionStep, process: Process): Promise<void> {
  const { transactions } = await openWithoutBlur(process);
  await transactions.run(step);
  return process.rest();
}

async function consume(step: ConsumerStep, process: Process): Promise<void> {
  const { consumers } = await process.ensureOpen();
  const consumed = consumers.of(step.name);
  if (step.step === "add-consumer") consumed.add();
  else if (step.step === "remove-consumer") consumed.remove();
  else consumed.read();
  await process.rest();
  if (step.step !== "acknowledge") return;
  consumed.acknowledge(step.permille);
  await process.rest();
}

async function copy(step: CopyStep, process: Process, world: World): Promise<void> {
  switch (step.step) {
    case "backup": {
      const { engine } = await openWithoutBlur(process);
      await process.backups.start(engine, step.into);
      return process.rest();
    }
    case "cancel-backup":
      process.backups.cancel();
      return process.rest();
    case "recover-to":
      return recoverSomewhere(step, process, world);
    case "look":
      return lookBeside(step, process, world);
  }
}

async function changeLife(step: LifeStep, process: Process, world: World): Promise<void> {
  world.digest.add(step.step);
  switch (step.step) {
    case "crash": {
      const { items } = world.disk.crash(
        step.survive === "random" ? { survive: "random", seed: step.seed } : { survive: step.survive },
      );
      world.digest.add(JSON.stringify(items));
      world.crashes++;
      return process.die(true);
    }
    case "kill":
      world.disk.killProcess();
      world.kills++;
      return process.die(false);
    case "close":
      process.startClosing();
      await process.mustRefuseWrites();
      return process.rest();
    case "reopen":
      await process.ensureDown();
      world.config = step.config;
      if (step.store !== undefined) world.store = step.store;
      await process.startOpening();
      return process.rest();
    case "intrude":
      return intrude(process, world);
  }
}

/** The lock is the kernel's: it must keep a second engine out, and the first one must not notice. */
async function intrude(process: Process, world: World): Promise<void> {
  await process.ensureOpen();
  const strikesBefore = world.faults.strikes.length;
  const second = new Watched(
    world.openEngine(world.engineConfig, new GatedDisk(world.disk, world.faults, new Gate())),
  );
  await process.rest();
  // It looks at what is there before it asks for the lock.
  const isFailedRead = KayaError.is(second.error, "KAYA_IO") && world.faults.strikes.length > strikesBefore;
  mustHold(
    second.state === "rejected" && (KayaError.is(second.error, "KAYA_LOCK_CONFLICT") || isFailedRead),
    "wrong-refusal",
    () => {
      return `a second engine on the same directory was ${second.state}, and not refused: ${second.error}`;
    },
  );
}
