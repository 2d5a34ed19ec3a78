import { Random, type SimDisk } from "@kaya/io";
import { isGranted } from "./answers.js";
import type { BackupSource } from "./backup-source.js";
import type { Copied } from "./copied-check.js";
import { contentsOf } from "./engine-write.js";
import type { FaultedUse, Sequel } from "./fault-pairs.js";
import type { History } from "./history.js";

/** Backups of one store into one directory, again and again, while faults strike the disk of the copy. */
export class FaultedBackup implements FaultedUse {
  readonly sequels: readonly Sequel[];
  readonly #disk: SimDisk;
  readonly #history: History<Copied>;
  readonly #source: BackupSource;
  readonly #random: Random;

  constructor(disk: SimDisk, history: History<Copied>, source: BackupSource, seed: number) {
    this.#disk = disk;
    this.#history = history;
    this.#source = source;
    this.#random = new Random(seed, 1);
    const again = async (end: () => void) => {
      end();
      await this.#backUp();
    };
    this.sequels = [
      { name: "again", weight: 3, follow: () => again(() => undefined) },
      { name: "killed, again", weight: 1, follow: () => again(() => this.#disk.killProcess()) },
      { name: "a power cut, again", weight: 1, follow: () => again(() => this.#cutPower()) },
      { name: "a change, again", weight: 2, follow: (round) => this.#changeAndBackUp(round) },
    ];
  }

  async prepare(round: number): Promise<void> {
    if (round === 0) await this.#mustBackUp();
    await this.#source.change(round);
  }

  async act(): Promise<void> {
    await this.#backUp();
  }

  async mend(): Promise<void> {
    await this.#mustBackUp();
  }

  async #changeAndBackUp(round: number): Promise<void> {
    await this.#source.change(round);
    await this.#backUp();
  }

  async #mustBackUp(): Promise<void> {
    if (await this.#backUp()) return;
    throw new Error("a backup was refused, and no fault strikes any more");
  }

  async #backUp(): Promise<boolean> {
    const { engine, lsn } = this.#source;
    const item: Copied = { lsn, contents: await contentsOf(engine) };
    this.#history.attempt(item);
    const isDone = await isGranted(engine.backup(this.#disk.session()));
    if (isDone) this.#history.acknowledge(item);
    return isDone;
  }

  #cutPower(): void {
    this.#disk.crash({ survive: "random", seed: this.#random.uint32() });
    this.#history.powerCut();
  }
}
