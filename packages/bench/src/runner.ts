import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Order } from "./child.js";
import type { Options } from "./options.js";
import { type PlannedWorkload, planOf, rotated } from "./plan.js";
import type { Failure, Sample } from "./run.js";
import { type Outcome, runChild } from "./run-child.js";
import type { System } from "./system.js";

export interface Figures {
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
}

export interface Watcher {
  /** Before each child process. */
  progress(text: string): void;
  failed(failure: Failure): void;
}

export type Execute = (order: Order, signal: AbortSignal) => Promise<Outcome>;

/** Round after round, and in each one system after the other: what disturbs the machine for a while disturbs all of them. */
export class Runner {
  readonly #options: Options;
  readonly #dir: string;
  readonly #signal: AbortSignal;
  readonly #watcher: Watcher;
  readonly #execute: Execute;
  readonly #samples: Sample[] = [];
  readonly #failures: Failure[] = [];
  readonly #filled = new Set<string>();
  /** `workload/system` and `system` that will not work in later rounds either. */
  readonly #givenUp = new Set<string>();

  /** @param execute carries out an order in a process of its own */
  constructor(
    options: Options,
    dir: string,
    signal: AbortSignal,
    watcher: Watcher,
    execute: Execute = runChild,
  ) {
    this.#execute = execute;
    this.#options = options;
    this.#dir = dir;
    this.#signal = signal;
    this.#watcher = watcher;
  }

  async run(): Promise<Figures> {
    const plan = planOf(this.#options);
    for (let round = 1; round <= this.#options.scale.rounds; round++) {
      for (const planned of plan) {
        for (const system of rotated(planned.systems, round - 1)) {
          if (this.#signal.aborted) return this.#figures();
          await this.#measure(planned, system, round);
        }
      }
    }
    return this.#figures();
  }

  #figures(): Figures {
    return { samples: this.#samples, failures: this.#failures };
  }

  async #measure(planned: PlannedWorkload, system: System, round: number): Promise<void> {
    const { workload } = planned;
    const name = `${workload.name}/${system.name}`;
    if (this.#givenUp.has(name) || this.#givenUp.has(system.name)) return;
    if (!(await this.#fill(planned, system))) return;
    const { rounds } = this.#options.scale;
    this.#watcher.progress(`round ${round} of ${rounds}: ${workload.name}, ${system.name}`);
    const outcome = await this.#child("run", planned, system);
    for (const { row, value } of outcome.figures) {
      this.#samples.push({ row, system: system.name, round, value });
    }
    this.#note(outcome, { workload: workload.name, system: system.name, round });
  }

  /** @returns whether the data of the workload is there */
  async #fill(planned: PlannedWorkload, system: System): Promise<boolean> {
    const { fixture } = planned.workload;
    if (fixture === undefined || this.#filled.has(this.#fixtureDir(planned, system))) return true;
    this.#watcher.progress(`filling: ${fixture.name}, ${system.name}`);
    const outcome = await this.#child("fill", planned, system);
    this.#filled.add(this.#fixtureDir(planned, system));
    this.#note(outcome, { workload: planned.workload.name, system: system.name });
    return outcome.error === undefined;
  }

  async #child(task: Order["task"], planned: PlannedWorkload, system: System): Promise<Outcome> {
    const dir = join(this.#dir, "job");
    const fixtureDir = this.#fixtureDir(planned, system);
    await mkdir(dir, { recursive: true });
    await mkdir(fixtureDir, { recursive: true });
    const rows = planned.rows.map(({ id }) => id);
    const { scale } = this.#options;
    const names = { workload: planned.workload.name, system: system.name };
    try {
      return await this.#execute(
        { task, ...names, scale, rows, dir: join(dir, "data"), fixtureDir },
        this.#signal,
      );
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  #fixtureDir({ workload }: PlannedWorkload, system: System): string {
    return join(this.#dir, workload.fixture?.name ?? "none", system.name.replaceAll(" ", "-"));
  }

  /** What failed once is not tried again: a figure of some of the rounds would compare unlike with like. */
  #note({ error, isMissing }: Outcome, where: Omit<Failure, "message" | "isMissing">): void {
    if (error === undefined || this.#signal.aborted) return;
    this.#givenUp.add(isMissing ? where.system : `${where.workload}/${where.system}`);
    const failure = { ...where, message: error, isMissing };
    this.#failures.push(failure);
    this.#watcher.failed(failure);
  }
}
