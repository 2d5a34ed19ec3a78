import type { PartialEngineConfig } from "@kaya/core";
import { Engine, recoverTo } from "@kaya/engine";
import { type Disk, SimDisk, type WriteFaultRule } from "@kaya/io";
import { isGranted } from "./answers.js";
import { type Copied, copiedCheck } from "./copied-check.js";
import { contentsOf } from "./engine-write.js";
import type { History } from "./history.js";
import { type Scenario, scenario } from "./scenario.js";
import { UnmetFaultError } from "./unmet-fault.js";

/** A fault without its place. */
type Fault = WriteFaultRule extends infer R ? (R extends { at: number } ? Omit<R, "at"> : never) : never;

/** Makes a data directory on an empty disk out of a source, beside which writes go on. */
interface Way {
  readonly name: string;
  readonly copy: (source: Source, into: Disk) => Promise<Copying>;
}

interface Copying {
  /** What it is to hold. */
  readonly item: Copied;
  readonly done: Promise<unknown>;
}

const BACKUP: Way = { name: "a backup", copy: backUp };
const RECOVERY: Way = { name: "recovered to an LSN", copy: recoverHalf };

/** Operations of the writing of a directory: a leftover removed, the file opened, written, synced, renamed, two directories synced. */
const OPERATIONS = [0, 1, 2, 3, 4, 5, 6];
const [FILLING, SYNCING] = [OPERATIONS.slice(1, 3), [3, 5, 6]];

const FAULTS: readonly (readonly [name: string, fault: Fault, places: readonly number[]])[] = [
  ["a full disk", { kind: "disk-full" }, FILLING],
  ["a write that stops", { kind: "partial-write", bytes: 600 }, FILLING],
  ["an operation that is done and fails", { kind: "io-error", outcome: "kept" }, OPERATIONS],
  ["a failed fsync", { kind: "fsync-failed" }, SYNCING],
  ["a failed fsync (kept)", { kind: "fsync-failed", outcome: "kept" }, SYNCING],
];

/** More reads than a directory that is written takes. */
const READS = 10;
const LEAST_MET = 2;

/**
 * What @kaya/engine promises of the directories that it makes. The disk that is crashed is the target's: it holds all that the directory is
 * to hold, or nothing that an opening would find anything in.
 */
export function engineCopyScenarios(config: PartialEngineConfig): Scenario[] {
  const make = (name: string, live: (target: Target) => Promise<void>) =>
    scenario<Copied>(`engine: ${name}`, {
      workload: async (disk, history) => live(new Target(disk, history, await Source.open(config))),
      check: copiedCheck(config),
    });
  return [
    ...[BACKUP, RECOVERY].flatMap((way) => [
      make(`${way.name} beside writes`, (target) => target.mustHave(way)),
      make(`${way.name} that cannot be read back`, (target) => target.failToRead(way)),
      make(`${way.name} beside another into the same directory`, (target) => target.beOneOfTwo(way)),
    ]),
    ...FAULTS.map(([name, fault, places]) =>
      make(`a backup, ${name}`, (target) => target.failToWrite(BACKUP, fault, places)),
    ),
  ];
}

/** The directory that is copied, on a disk that nothing happens to: a checkpoint and a log of some segments. */
class Source {
  readonly disk: SimDisk;
  readonly engine: Engine;
  readonly config: PartialEngineConfig;
  #written = 0;

  private constructor(disk: SimDisk, engine: Engine, config: PartialEngineConfig) {
    this.disk = disk;
    this.engine = engine;
    this.config = config;
  }

  static async open(base: PartialEngineConfig): Promise<Source> {
    const config = { ...base, checkpoint: { auto: false } };
    const disk = new SimDisk();
    const source = new Source(disk, await Engine.open(config, disk), config);
    for (let n = 0; n < 3; n++) await source.put();
    await source.engine.checkpoint();
    for (let n = 0; n < 3; n++) await source.put();
    return source;
  }

  async put(): Promise<void> {
    const n = this.#written++;
    await this.engine.put(`key ${n % 5}`, `${n}${"x".repeat(100 + 60 * (n % 7))}`);
  }

  get lsn(): number {
    return this.engine.stats().lastLsn;
  }
}

async function backUp({ engine, lsn }: Source, into: Disk): Promise<Copying> {
  const contents = await contentsOf(engine);
  return { item: { lsn, contents }, done: engine.backup(into) };
}

/** To where the source is now, after some more writes. */
async function recoverHalf(source: Source, into: Disk): Promise<Copying> {
  const { lsn, engine, config, disk } = source;
  const contents = await contentsOf(engine);
  await source.put();
  await source.put();
  return { item: { lsn, contents }, done: recoverTo(config, { lsn, into }, disk) };
}

class Target {
  readonly #disk: SimDisk;
  readonly #history: History<Copied>;
  readonly #source: Source;

  constructor(disk: SimDisk, history: History<Copied>, source: Source) {
    this.#disk = disk;
    this.#history = history;
    this.#source = source;
  }

  async mustHave(way: Way): Promise<void> {
    const { done, item } = await this.#start(way);
    await this.#source.put();
    await this.#source.put();
    if (!(await isGranted(done))) throw new Error(`${way.name} was refused, and no fault had struck`);
    this.#history.acknowledge(item);
  }

  /** One of two that begin together is refused, and takes nothing of the other's away. */
  async beOneOfTwo(way: Way): Promise<void> {
    const first = await this.#start(way);
    const isFirst = isGranted(first.done); // handled from here on, whatever comes meanwhile
    const second = await this.#start(way);
    const granted = await Promise.all([isFirst, isGranted(second.done)]);
    if (granted.filter(Boolean).length !== 1)
      throw new Error(`of two that began together ${granted.filter(Boolean).length} were granted, not one`);
    const [whole, refused] = granted[0] ? [first, second] : [second, first];
    this.#history.reject(refused.item);
    this.#history.acknowledge(whole.item);
  }

  /** What was written and cannot be read back is taken away for good; then it is made after all. */
  async failToRead(way: Way): Promise<void> {
    let met = 0;
    for (let place = 0; place < READS; place++) {
      this.#disk.addFault({ atRead: this.#disk.nextRead + place, kind: "read-error" });
      const { done, item } = await this.#start(way);
      await this.#source.put();
      if (await isGranted(done)) {
        this.#history.acknowledge(item);
        break;
      }
      this.#history.reject(item);
      met++;
    }
    if (met < LEAST_MET) throw new UnmetFaultError(`${way.name} met ${met} failed reads, not ${LEAST_MET}`);
  }

  /** A power cut may bring back, whole, what it was not told of. Then it is made after all. */
  async failToWrite(way: Way, fault: Fault, places: readonly number[]): Promise<void> {
    for (const place of places) {
      this.#disk.addFault({ ...fault, at: this.#disk.nextOperation + place });
      const { done } = await this.#start(way);
      await this.#source.put();
      if (await isGranted(done))
        throw new UnmetFaultError(`${way.name} did not meet ${fault.kind} at ${place}`);
    }
    await this.mustHave(way);
  }

  async #start(way: Way): Promise<Copying> {
    const copying = await way.copy(this.#source, this.#disk.session());
    this.#history.attempt(copying.item);
    return copying;
  }
}
