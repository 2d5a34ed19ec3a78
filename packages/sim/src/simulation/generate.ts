import { KayaError, type WalConfig } from "@kaya/core";
import { Random } from "@kaya/io";
import { CONSUMER_NAMES } from "./consumer-places.js";
import { KeySpace } from "./key-space.js";
import { RowSteps } from "./row-steps.js";
import type { FaultStep, Step, StepCondition, StepOperation, StoreConfig, WaitingFault } from "./steps.js";
import { storeOf } from "./store-config.js";
import type { Trace } from "./trace.js";
import {
  type DrawnStep,
  FAULT_WEIGHTS,
  type FaultWeights,
  FLEETINGS,
  HURRIES,
  PAIR_CHANCES,
  pickByWeight,
  RETRIED_WEIGHTS,
  STEP_WEIGHTS,
  type StepWeights,
  TRANSACTION_CHANCES,
  TRANSACTION_WEIGHTS,
  vary,
} from "./weights.js";

/** The seed of a run, its length, and what it is made of. */
export interface GenerateOptions {
  /** The seed: the same options with the same seed give the same run. */
  readonly seed: number;
  /** Steps of the run. Those of rows with indexes come in addition. */
  readonly operations: number;
  /** How often each step comes, in place of the defaults; 0 leaves a step out. */
  readonly weights?: Partial<StepWeights>;
  /** How often each kind of fault comes, in place of the defaults; `false` for none. */
  readonly faults?: Partial<FaultWeights> | false;
  /** How likely a step is to be one of a transaction. Default: none in three runs of four. */
  readonly transactions?: number;
  /** How likely it is that a step of rows with indexes comes before another one. Default: none in three of five runs. */
  readonly indexes?: number;
  /** `false`: no fault begins to wait for what follows another one. */
  readonly faultPairs?: false;
}

/** Makes the steps of a run from its seed alone: nothing that happens while it runs has a say in them. */
export function generateTrace(options: GenerateOptions): Trace {
  const { seed, operations, weights, faults, faultPairs, transactions, indexes } = options;
  for (const [name, value] of Object.entries({ seed, operations })) {
    const least = name === "seed" ? Number.MIN_SAFE_INTEGER : 0;
    if (Number.isSafeInteger(value) && value >= least) continue;
    const must = name === "seed" ? "a whole number" : "a whole number >= 0";
    throw new KayaError("KAYA_INVALID_ARGUMENT", `${name} must be ${must}, not ${value}`);
  }
  const random = new Random(seed, operations);
  const generator = new Generator(
    random,
    faultPairs === false ? undefined : new Random(seed, operations, 1),
    new Random(seed, operations, 2),
    new Random(seed, operations, 3),
    new Random(seed, operations, 4),
    new Random(seed, operations, 5),
    new Random(seed, operations, 6),
    transactions,
    { ...vary(STEP_WEIGHTS, random), ...weights, ...(faults === false && { fault: 0 }) },
    { ...vary(FAULT_WEIGHTS, random), ...(faults || {}) },
  );
  const config = generator.config();
  const store = generator.store();
  const maxKeptLogBytes = generator.maxKeptLogBytes();
  const rows = new RowSteps(new Random(seed, operations, 7), indexes);
  const steps = Array.from({ length: operations }, () => [...rows.next(), generator.next()]).flat();
  return {
    seed,
    config,
    store,
    ...(maxKeptLogBytes !== undefined && { maxKeptLogBytes }),
    steps,
  };
}

class Generator {
  readonly #random: Random;
  readonly #weights: StepWeights;
  readonly #faults: FaultWeights;
  readonly #keys: KeySpace;
  readonly #strictness: number;
  /** One for the whole run: a log is not readable with less than its largest record. */
  readonly #maxRecordBytes: number;
  /** Of what concerns pairs of faults alone. */
  readonly #pairing: Random | undefined;
  readonly #pairChance: number;
  /** Of ranges in batches alone. */
  readonly #ranging: Random;
  /** Of writes that are done when their call returns, and how likely a write is to be one. */
  readonly #hurrying: Random;
  readonly #hurry: number;
  /** Of space ahead of the log alone. */
  readonly #space: Random;
  /** Of what expires alone, how likely a put is to be one that does, and what passes of time. */
  readonly #fleeting: Random;
  readonly #fleetness: number;
  /** Of transactions alone, and how likely a step is to be one of theirs. */
  readonly #transacting: Random;
  readonly #transactions: number;
  /** Steps before all others: the target of a pair of faults. */
  readonly #planned: Step[] = [];
  #lastId = 0;

  constructor(
    random: Random,
    pairing: Random | undefined,
    ranging: Random,
    hurrying: Random,
    space: Random,
    fleeting: Random,
    transacting: Random,
    transactions: number | undefined,
    weights: StepWeights,
    faults: FaultWeights,
  ) {
    this.#ranging = ranging;
    this.#hurrying = hurrying;
    this.#hurry = hurrying.pick(HURRIES);
    this.#space = space;
    this.#fleeting = fleeting;
    this.#fleetness = fleeting.pick(FLEETINGS);
    this.#transacting = transacting;
    this.#transactions = transactions ?? transacting.pick(TRANSACTION_CHANCES);
    this.#random = random;
    this.#weights = weights;
    this.#faults = faults;
    this.#keys = new KeySpace(random);
    this.#strictness = random.pick([0.1, 0.5, 0.5, 0.9]);
    this.#maxRecordBytes = random.pick([150, 400, 1500, 6000]);
    this.#pairing = pairing;
    this.#pairChance = pairing?.pick(PAIR_CHANCES) ?? 0;
  }

  /** Segments of a few records, batches of one or of many. */
  config(): WalConfig {
    const random = this.#random;
    const maxRecordBytes = this.#maxRecordBytes;
    return {
      segmentMaxBytes: maxRecordBytes * random.pick([1, 2, 4, 30]),
      maxRecordBytes,
      maxBatchBytes: random.pick([1, 200, 1000, 100_000]),
      preallocateBytes: this.#space.pick([0, 100, 700, 5000]),
      recovery: random.pick(["tail", "tail", "tail", "prefix", "absolute"]),
      quarantineMaxBytes: Number.MAX_SAFE_INTEGER,
    };
  }

  /** What grows with the largest record: a memtable takes some of them, or many. */
  store(): StoreConfig {
    return storeOf(this.#random);
  }

  /** In every third run: from hardly anything to a few segments. */
  maxKeptLogBytes(): number | undefined {
    const random = this.#random;
    return random.chance(0.33) ? this.#maxRecordBytes * random.pick([0, 2, 6, 20]) : undefined;
  }

  next(): Step {
    if (this.#fleetness > 0 && this.#fleeting.chance(0.1)) return this.#passTime();
    const planned = this.#planned.shift();
    if (planned !== undefined) return planned;
    if (this.#transacting.chance(this.#transactions)) return this.#transactionStep();
    return this.#make(pickByWeight(this.#weights, this.#random));
  }

  /** Some of what lives goes with it; now and then somebody sets the clock, mostly back. */
  #passTime(): Step {
    const random = this.#fleeting;
    const jump = random.pick([0, 0, 0, 0, 50, 3000, -50, -3000, -1_000_000]);
    return { step: "time", ms: random.pick([0, 1, 5, 50, 500]), ...(jump !== 0 && { jump }) };
  }

  #lives(): { readonly lives?: number } {
    const random = this.#fleeting;
    if (this.#fleetness === 0 || !random.chance(this.#fleetness)) return {};
    return { lives: random.pick([0, -7, 1, 2, 7, 50, 51, 500, 5000]) };
  }

  #transactionStep(): Step {
    const random = this.#transacting;
    const keys = this.#keys;
    const of = random.below(3);
    const step = pickByWeight(TRANSACTION_WEIGHTS, random);
    switch (step) {
      case "open-transaction":
        return { step, durability: random.pick(["strict", "relaxed"]), attempts: random.pick([1, 3, 3]) };
      case "transaction-get":
        return { step, of, keys: keys.keys(4, random) };
      case "transaction-scan":
        return {
          step,
          of,
          range: keys.range(random),
          ...(random.chance(0.4) && { take: 1 + random.below(3) }),
        };
      case "transaction-write": {
        const operation = (key: string): StepOperation =>
          random.chance(0.3) ? { key } : { key, length: random.pick([1, 12, 12, 40]), ...this.#lives() };
        const operations = keys.keys(2, random).map(operation);
        const clear = random.chance(0.1) ? [{ clear: keys.bounds(random) }] : [];
        return { step, of, id: ++this.#lastId, operations: [...operations, ...clear] };
      }
      case "clear":
        return { step, range: keys.bounds(random), durability: "relaxed" };
      case "flush":
        return { step };
      case "update": {
        const durability = random.pick(["strict", "relaxed"] as const);
        const update = { step, id: ++this.#lastId, key: keys.key(random), length: random.pick([1, 12, 40]) };
        return { ...update, durability, ...(random.chance(0.5) && { promised: true }) };
      }
      case "end-transaction":
        return { step, of, ...(random.chance(0.1) && { fails: true }) };
    }
  }

  #make(step: DrawnStep): Step {
    const random = this.#random;
    const keys = this.#keys;
    switch (step) {
      case "put":
        return {
          step,
          id: ++this.#lastId,
          key: keys.key(),
          length: this.#length(),
          ...this.#lives(),
          durability: this.#durability(),
          ...this.#now(),
        };
      case "delete":
        return { step, key: keys.key(), durability: this.#durability(), ...this.#now() };
      case "batch":
        return {
          step,
          id: ++this.#lastId,
          operations: this.#operations(),
          ...(random.chance(0.4) && { conditions: this.#conditions() }),
          durability: this.#durability(),
          ...this.#now(),
        };
      case "clear":
        return { step, range: keys.range(), durability: this.#durability() };
      case "get":
      case "get-sync":
      case "has":
        return { step, key: keys.key() };
      case "get-many":
        return { step, keys: keys.keys(6) };
      case "count":
      case "size":
        return { step, range: keys.range() };
      case "compact":
        return { step, range: random.chance(0.5) ? {} : keys.bounds(random) };
      case "scan":
      case "open-scan":
        return { step, range: keys.range(), pageSize: random.pick([1, 3, 100]) };
      case "read-snapshot":
        return { step, keys: keys.keys(3), range: keys.range(), close: random.chance(0.5) };
      case "advance":
        return { step, operations: 1 + random.below(random.pick([2, 6, 20])) };
      case "settle":
        return random.chance(0.5) ? { step } : { step, writes: 1 + random.below(6) };
      case "add-consumer":
      case "remove-consumer":
      case "consume":
        return { step, name: random.pick(CONSUMER_NAMES) };
      case "acknowledge":
        return { step, name: random.pick(CONSUMER_NAMES), permille: random.pick([1000, random.below(1001)]) };
      case "backup":
        return { step, into: random.chance(0.6) ? "used" : "new" };
      case "recover-to":
        return { step, permille: random.below(1001), beside: random.pick([0, 1, 3]) };
      case "look":
        return { step, beside: random.pick([0, 1, 3]) };
      case "fault":
        return this.#fault();
      case "crash":
        return this.#crash();
      case "reopen":
        return { step, config: this.config(), store: this.store() };
      default:
        return { step };
    }
  }

  #crash(): Step {
    const survive = this.#random.pick(["nothing", "everything", "random", "random", "random"]);
    return survive === "random"
      ? { step: "crash", survive, seed: this.#random.uint32() }
      : { step: "crash", survive };
  }

  #fault(): FaultStep {
    const first = { step: "fault", ...this.#waitingFault(this.#random) } as const;
    const pairing = this.#pairing;
    if (pairing?.chance(this.#pairChance) !== true) return first;
    if (pairing.chance(0.7)) this.#planRetry(pairing);
    return { ...first, next: this.#waitingFault(pairing) };
  }

  /** Something is done until the disk has nothing left to do, and then once more. */
  #planRetry(pairing: Random): void {
    const tried = pickByWeight(RETRIED_WEIGHTS, pairing);
    const steps = [this.#make(tried), { step: "settle" } as const, this.#make(tried)];
    this.#planned.push(...steps, ...(pairing.chance(0.5) ? [{ step: "settle" } as const] : []));
  }

  #waitingFault(random: Random): WaitingFault {
    const kind = pickByWeight(this.#faults, random);
    const step = { after: random.below(random.pick([1, 4, 15])) } as const;
    if (kind === "disk-full" || kind === "no-descriptors")
      return { ...step, kind, times: 1 + random.below(random.pick([1, 8])) };
    if (kind === "read-error") return { ...step, kind };
    if (kind === "partial-write") return { ...step, kind, bytes: random.below(random.pick([50, 500])) };
    return { ...step, kind, outcome: random.pick(["readable-until-crash", "kept", "lost"]) };
  }

  #operations(): StepOperation[] {
    const operations: StepOperation[] = this.#keys
      .keys(this.#random.pick([3, 12]))
      .map((key) => (this.#random.chance(0.3) ? { key } : { key, length: this.#length(), ...this.#lives() }));
    if (!this.#ranging.chance(0.25)) return operations;
    const clear = this.#keys.bounds(this.#ranging);
    return operations.toSpliced(this.#ranging.below(operations.length + 1), 0, { clear });
  }

  #conditions(): StepCondition[] {
    const random = this.#random;
    return this.#keys.keys(2).map((key) => ({
      key,
      is: random.pick(["as-read", "as-read", "as-written", "as-written", "absent", "wrong"]),
    }));
  }

  #now(): { readonly now?: true } {
    return this.#hurrying.chance(this.#hurry) ? { now: true } : {};
  }

  #durability(): "strict" | "relaxed" {
    return this.#random.chance(this.#strictness) ? "strict" : "relaxed";
  }

  /** Mostly short; sometimes nothing, sometimes over a sector, now and then too long for a record. */
  #length(): number {
    const maxRecordBytes = this.#maxRecordBytes;
    const most = this.#random.pick([1, 12, 12, 12, 60, maxRecordBytes / 4, maxRecordBytes]);
    return this.#random.below(Math.floor(most) + 1);
  }
}
