import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Order } from "./child.js";
import { emptyFileCache } from "./cold-caches.js";
import { MemoryGroup } from "./memory-group.js";
import type { Options } from "./options.js";
import { type PlannedWorkload, planOf, rotated } from "./plan.js";
import { ALL_SYSTEMS, type Failure, type Sample } from "./run.js";
import { type Launch, type Outcome, runChild } from "./run-child.js";
import type { System } from "./system.js";

export interface Figures {
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
  readonly notes: readonly string[];
}

export interface Watcher {
  /** Before each child process. */
  progress(text: string): void;
  failed(failure: Failure): void;
}

/** The runner's effects on the machine. */
export interface Machinery {
  /** Runs a job in its own process. */
  readonly execute: (order: Order, signal: AbortSignal, launch: Launch) => Promise<Outcome>;
  /** @throws Error if the system does not permit it */
  readonly limitMemory: (bytes: number) => Pick<MemoryGroup, "processesFile" | "killed" | "remove">;
  /** @returns the reason if the system does not permit it */
  readonly emptyFileCache: () => Promise<string | undefined>;
}

const MACHINERY: Machinery = { execute: runChild, limitMemory: MemoryGroup.create, emptyFileCache };

/** Round after round, and in each one system after the other: a disturbance of the machine affects all. */
export class Runner {
  readonly #options: Options;
  readonly #dir: string;
  readonly #signal: AbortSignal;
  readonly #watcher: Watcher;
  readonly #machinery: Machinery;
  readonly #samples: Sample[] = [];
  readonly #failures: Failure[] = [];
  readonly #notes = new Set<string>();
  readonly #filled = new Set<string>();
  /** `workload/system`, `system` and workloads that will not work in later rounds either. */
  readonly #givenUp = new Set<string>();

  constructor(
    options: Options,
    dir: string,
    signal: AbortSignal,
    watcher: Watcher,
    machinery: Partial<Machinery> = {},
  ) {
    this.#machinery = { ...MACHINERY, ...machinery };
    this.#options = options;
    this.#dir = dir;
    this.#signal = signal;
    this.#watcher = watcher;
  }

  async run(): Promise<Figures> {
    const plan = planOf(this.#options);
    const rounds = Math.max(0, ...plan.map((planned) => planned.rounds));
    for (let round = 1; round <= rounds; round++) {
      for (const planned of plan.filter((planned) => round <= planned.rounds)) {
        for (const system of rotated(planned.systems, round - 1)) {
          if (this.#signal.aborted) return this.#figures();
          await this.#measure(planned, system, round);
        }
      }
    }
    return this.#figures();
  }

  #figures(): Figures {
    return { samples: this.#samples, failures: this.#failures, notes: [...this.#notes] };
  }

  async #measure(planned: PlannedWorkload, system: System, round: number): Promise<void> {
    const { workload } = planned;
    const names = [`${workload.name}/${system.name}`, system.name, workload.name];
    if (names.some((name) => this.#givenUp.has(name))) return;
    if (!(await this.#fill(planned, system))) return;
    const { scale } = this.#options;
    this.#watcher.progress(`round ${round} of ${planned.rounds}: ${workload.name}, ${system.name}`);
    const launch = this.#profile(`${workload.name}-${system.name}-${round}`);
    const limit = workload.memoryBytes?.(scale);
    if (limit === undefined) return this.#steps(planned, system, round, launch);
    const group = this.#limitMemory(limit, workload.name);
    if (group === undefined) return;
    try {
      await this.#steps(planned, system, round, { ...launch, processesFile: group.processesFile }, group);
    } finally {
      await group.remove();
    }
  }

  /** In one directory: the workload's preparation, then the workload. */
  async #steps(
    planned: PlannedWorkload,
    system: System,
    round: number,
    launch: Launch,
    group?: { readonly killed: number },
  ): Promise<void> {
    const { workload } = planned;
    const dir = join(this.#dir, "job");
    await mkdir(dir, { recursive: true });
    try {
      for (const task of workload.prepare === undefined ? ["run" as const] : PREPARE_AND_RUN) {
        if (task === "run" && workload.readsCold === true) await this.#emptyFileCache(workload.name);
        const outcome = await this.#child(task, planned, system, launch);
        for (const figure of outcome.figures) {
          this.#samples.push({ ...figure, system: system.name, round });
        }
        const error = withCause(outcome.error, group?.killed ?? 0);
        this.#note(
          { ...outcome, ...(error !== undefined && { error }) },
          { workload: workload.name, system: system.name, round },
        );
        if (outcome.error !== undefined) return;
      }
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  /** @returns whether the data of the workload is there */
  async #fill(planned: PlannedWorkload, system: System): Promise<boolean> {
    const { fixture } = planned.workload;
    if (fixture === undefined || this.#filled.has(this.#fixtureDir(planned, system))) return true;
    this.#watcher.progress(`filling: ${fixture.name}, ${system.name}`);
    const outcome = await this.#child("fill", planned, system, {});
    this.#filled.add(this.#fixtureDir(planned, system));
    this.#note(outcome, { workload: planned.workload.name, system: system.name });
    return outcome.error === undefined;
  }

  async #child(
    task: Order["task"],
    planned: PlannedWorkload,
    system: System,
    launch: Launch,
  ): Promise<Outcome> {
    const fixtureDir = this.#fixtureDir(planned, system);
    await mkdir(fixtureDir, { recursive: true });
    const rows = planned.rows.map(({ id }) => id);
    const { scale } = this.#options;
    const names = { workload: planned.workload.name, system: system.name };
    const order = { task, ...names, scale, rows, dir: join(this.#dir, "job", "data"), fixtureDir };
    return this.#machinery.execute(order, this.#signal, launch);
  }

  #fixtureDir({ workload }: PlannedWorkload, system: System): string {
    return join(this.#dir, workload.fixture?.name ?? "none", system.name.replaceAll(" ", "-"));
  }

  #profile(name: string): Launch {
    const { profile } = this.#options;
    return profile === undefined ? {} : { profileDir: join(profile, name.replaceAll(" ", "-")) };
  }

  #limitMemory(bytes: number, workload: string): ReturnType<Machinery["limitMemory"]> | undefined {
    try {
      return this.#machinery.limitMemory(bytes);
    } catch (error) {
      this.#givenUp.add(workload);
      this.#fail({ workload, system: ALL_SYSTEMS, message: (error as Error).message, isMissing: true });
      return undefined;
    }
  }

  async #emptyFileCache(workload: string): Promise<void> {
    const reason = await this.#machinery.emptyFileCache();
    if (reason !== undefined)
      this.#notes.add(
        `${workload}: what is read may be in the system's cache, which may not be emptied here: ${reason}`,
      );
  }

  /** What failed once is not tried again: a figure of some of the rounds would compare unlike with like. */
  #note({ error, isMissing }: Outcome, where: Omit<Failure, "message" | "isMissing">): void {
    if (error === undefined || this.#signal.aborted) return;
    this.#givenUp.add(isMissing ? where.system : `${where.workload}/${where.system}`);
    this.#fail({ ...where, message: error, isMissing });
  }

  #fail(failure: Failure): void {
    this.#failures.push(failure);
    this.#watcher.failed(failure);
  }
}

const PREPARE_AND_RUN = ["prepare", "run"] as const;

function withCause(error: string | undefined, killed: number): string | undefined {
  if (error === undefined || killed === 0) return error;
  return `killed by the kernel for want of memory in its cgroup (${error})`;
}
