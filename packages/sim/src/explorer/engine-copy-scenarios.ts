import type { PartialEngineConfig } from "@kaya/core";
import { recoverTo } from "@kaya/engine";
import type { Disk, SimDisk } from "@kaya/io";
import { isGranted } from "./answers.js";
import { BackupSource } from "./backup-source.js";
import { type Copied, copiedCheck } from "./copied-check.js";
import { FAULTS, type PlacelessFault, wasMet } from "./engine-lives.js";
import { contentsOf } from "./engine-write.js";
import { describeFault } from "./faults.js";
import type { History } from "./history.js";
import { TINY } from "./open-engine.js";
import { type ExplorationBudget, type Scenario, scenario } from "./scenario.js";
import { UnmetFaultError } from "./unmet-fault.js";

/** Makes a data directory on an empty disk out of a source, beside which writes go on. */
interface Way {
  readonly name: string;
  readonly copy: (source: BackupSource, into: Disk) => Promise<Copying>;
}

interface Copying {
  /** What it is to hold. */
  readonly item: Copied;
  readonly done: Promise<unknown>;
}

const BACKUP: Way = { name: "a backup", copy: backUp };
const RECOVERY: Way = { name: "recovered to an LSN", copy: recoverHalf };

/** More reads than the checks of a copy that is written take. */
const READS = 24;
/** Operations of a backup over an earlier one: two tables of three operations each, two directories, the manifest, what is removed. */
const OPERATIONS = 17;
const LEAST_MET = 2;

/** Many moments: few of the openings behind them are crashed in turn. */
const FEW_DEEP: ExplorationBudget = { recoveryShare: 0.2 };

/**
 * What @kaya/engine promises of the directories that it makes. The target's disk is crashed: it has the whole directory, or nothing that an
 * opening would take for a store.
 */
export function engineCopyScenarios(base: PartialEngineConfig): Scenario[] {
  const config = { ...base, tables: TINY };
  const make = (
    name: string,
    way: Way,
    live: (target: Target) => Promise<void>,
    limits?: ExplorationBudget,
  ) => {
    let source: BackupSource | undefined;
    const copyAgain = async (into: SimDisk) => {
      if (source === undefined) throw new Error("there is nothing to copy");
      const { item, done } = await way.copy(source, into);
      await done;
      return item;
    };
    return scenario<Copied>(
      `engine: ${name}`,
      {
        workload: async (disk, history) => {
          source = await BackupSource.open(config);
          await live(new Target(disk, history, source));
        },
        check: copiedCheck(config, way === BACKUP ? { copyAgain } : {}),
      },
      limits,
    );
  };
  return [
    ...[BACKUP, RECOVERY].flatMap((way) => [
      make(`${way.name} beside writes`, way, (target) => target.mustHave(way)),
      make(`${way.name} that cannot be read back`, way, (target) => target.failToRead(way)),
      make(`${way.name} beside another into the same directory`, way, (target) => target.beOneOfTwo(way)),
    ]),
    make("backups over earlier ones", BACKUP, (target) => target.mustHaveOneAfterTheOther(BACKUP)),
    make("backups over earlier ones, killed inside", BACKUP, (target) => target.killInside(BACKUP)),
    ...FAULTS.map((fault) =>
      make(
        `${describeFault(fault)} in backups over earlier ones`,
        BACKUP,
        (target) => target.failToWrite(BACKUP, fault),
        FEW_DEEP,
      ),
    ),
  ];
}

async function backUp({ engine, lsn }: BackupSource, into: Disk): Promise<Copying> {
  const contents = await contentsOf(engine);
  return { item: { lsn, contents }, done: engine.backup(into) };
}

/** To where the source is now, after some more writes. */
async function recoverHalf(source: BackupSource, into: Disk): Promise<Copying> {
  const { lsn, engine, config, disk } = source;
  const contents = await contentsOf(engine);
  await source.put();
  await source.put();
  return { item: { lsn, contents }, done: recoverTo(config, { lsn, into }, disk) };
}

class Target {
  readonly #disk: SimDisk;
  readonly #history: History<Copied>;
  readonly #source: BackupSource;

  constructor(disk: SimDisk, history: History<Copied>, source: BackupSource) {
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

  /** Files that cannot be read back are removed for good; then the copy is made after all. */
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

  /** Each reuses the files of the one before, and replaces it. */
  async mustHaveOneAfterTheOther(way: Way): Promise<void> {
    for (let round = 0; round < 4; round++) {
      await this.mustHave(way);
      await this.#source.change(round);
    }
  }

  /** One that is killed leaves the one before it, and the next goes over both. */
  async killInside(way: Way): Promise<void> {
    for (let end = 1; end < OPERATIONS; end += 3) {
      const before = this.#disk.nextOperation;
      const { done, item } = await this.#start(way);
      const isGrantedToo = isGranted(done);
      while (this.#disk.nextOperation < before + end) await new Promise(setImmediate);
      this.#disk.killProcess();
      if (await isGrantedToo) this.#history.acknowledge(item);
      await this.#source.change(end);
      if (end % 2 === 0) await this.mustHave(way);
    }
    await this.mustHave(way);
  }

  /** A power cut may bring back a whole copy that was reported as failed. Then it is made after all. */
  async failToWrite(way: Way, fault: PlacelessFault): Promise<void> {
    let met = 0;
    for (let place = 0; place < OPERATIONS; place++) {
      const at = this.#disk.nextOperation + place;
      this.#disk.addFault({ ...fault, at });
      const { done, item } = await this.#start(way);
      if (await isGranted(done)) this.#history.acknowledge(item);
      if (wasMet(this.#disk, at)) met++;
      await this.#source.change(place);
    }
    if (met < LEAST_MET) throw new UnmetFaultError(`${met} faults were met, not ${LEAST_MET}`);
    const { done, item } = await this.#start(way); // skips the place of a fault that met nothing
    if (await isGranted(done)) this.#history.acknowledge(item);
    await this.mustHave(way);
  }

  async #start(way: Way): Promise<Copying> {
    const copying = await way.copy(this.#source, this.#disk.session());
    this.#history.attempt(copying.item);
    return copying;
  }
}
