import type { Disk } from "@kaya/io";
import { NodeDisk } from "@kaya/io";
import type { MergeJob } from "../compaction/job.js";
import { type MergeControl, mergeInLoop } from "../compaction/merge-in-loop.js";
import { mergeOnWorker, WorkerLostError } from "../compaction/merge-on-worker.js";
import type { MergePick, Pick } from "../compaction/pick.js";
import { planMerge } from "../compaction/plan-merge.js";
import { bytesOf } from "../compaction/shape.js";
import { fileBytesOf, type TableMeta } from "../manifest/manifest-state.js";
import type { LiveTable } from "../version/live-table.js";
import { listTables, TABLE_DIR } from "../version/table-files.js";
import type { VersionSet } from "../version/version-set.js";
import { type CompactionBegin, type CompactionResult, tellCompaction } from "./channels.js";
import { formatOf, type ResolvedLsmOptions } from "./options.js";
import type { Counters } from "./stats.js";

/** A smaller merge ends before a worker would have begun. */
const LEAST_WORKER_BYTES = 1024 * 1024;

export interface CarryOutOptions {
  /** Somebody waits for it. */
  readonly keepsProcess: boolean;
  /** It must not rest. */
  readonly isUrgent: () => boolean;
}

export interface CompactionRunner {
  /** @throws KayaError as the tables and the disk, with nothing changed; KAYA_CLOSED where the tree is closed meanwhile */
  carryOut(pick: Pick<LiveTable>, options: CarryOutOptions): Promise<void>;
}

/** Runs the picked compaction: on a worker if the disk is real, else in small steps in this thread. */
export class CompactionRun implements CompactionRunner {
  readonly #disk: Disk;
  readonly #versions: VersionSet;
  readonly #options: ResolvedLsmOptions;
  readonly #counters: Counters;
  readonly #signal: AbortSignal;
  /** After a lost worker this tree merges in the loop. */
  #hasLostWorker = false;

  constructor(
    disk: Disk,
    versions: VersionSet,
    options: ResolvedLsmOptions,
    counters: Counters,
    signal: AbortSignal,
  ) {
    this.#disk = disk;
    this.#versions = versions;
    this.#options = options;
    this.#counters = counters;
    this.#signal = signal;
  }

  async carryOut(pick: Pick<LiveTable>, options: CarryOutOptions): Promise<void> {
    await tellCompaction(this.#disk.root, describe(pick, this.#versions), () => this.#run(pick, options));
  }

  async #run(pick: Pick<LiveTable>, options: CarryOutOptions): Promise<CompactionResult> {
    switch (pick.kind) {
      case "drop":
        await this.#versions.publish({ removed: pick.tables });
        this.#counters.drops++;
        return { outputTables: 0, bytes: 0 };
      case "move": {
        const { meta } = pick.table;
        const removed = [{ level: pick.from, id: meta.id }];
        await this.#versions.publish({ removed, added: [{ level: pick.to, table: meta }] });
        this.#counters.moves++;
        return { outputTables: 1, bytes: 0 };
      }
      case "merge":
        return this.#merge(pick, options);
    }
  }

  async #merge(pick: MergePick<LiveTable>, options: CarryOutOptions): Promise<CompactionResult> {
    const version = this.#versions.current.retain(); // its files stay until it is done
    try {
      const { tableBytes, randomSeed, now } = this.#options;
      const format = formatOf(this.#options);
      const plan = planMerge(version.levels, pick, {
        tableBytes,
        format,
        now: now(),
        seed: randomSeed(),
      });
      const outputs = await this.#write(plan, options);
      await this.#versions.publish({
        removed: pick.inputs.flatMap(({ level, tables }) =>
          tables.map(({ meta }) => ({ level, id: meta.id })),
        ),
        added: outputs.map((table) => ({ level: pick.to, table })),
        made: outputs,
      });
      const bytes = fileBytesOf(outputs);
      this.#counters.merges++;
      this.#counters.readBytes += pick.inputs.reduce((sum, { tables }) => sum + bytesOf(tables), 0);
      this.#counters.writtenBytes += bytes;
      return { outputTables: outputs.length, bytes };
    } finally {
      version.release();
    }
  }

  async #write(plan: Omit<MergeJob, "firstId">, options: CarryOutOptions): Promise<TableMeta[]> {
    const control: MergeControl = {
      signal: this.#signal,
      shouldRest: () => this.#options.load.isBusy() && !options.isUrgent(),
      keepsProcess: options.keepsProcess,
      onProgress: () => undefined,
    };
    const disk = this.#diskOfWorker(plan);
    if (disk !== undefined) {
      const outputs = await this.#writeOnWorker(disk, this.#withIds(plan), control);
      if (outputs !== undefined) return outputs;
    }
    return mergeInLoop(this.#disk, this.#withIds(plan), control);
  }

  /** Undefined where the worker was lost. */
  async #writeOnWorker(
    disk: NodeDisk,
    job: MergeJob,
    control: MergeControl,
  ): Promise<TableMeta[] | undefined> {
    const place = { root: disk.root, directories: disk.identify([TABLE_DIR]) };
    try {
      return await mergeOnWorker(place, job, control);
    } catch (error) {
      await this.#removeWhatIsLeft(job);
      if (!(error instanceof WorkerLostError)) throw error;
      this.#hasLostWorker = true;
      return undefined;
    }
  }

  /** The files of a lost worker. */
  async #removeWhatIsLeft({ firstId, mostOutputs }: MergeJob): Promise<void> {
    const { tables } = await listTables(this.#disk).catch(() => ({ tables: new Map<number, never>() }));
    const ids = [...tables.keys()].filter((id) => id >= firstId && id < firstId + mostOutputs);
    await this.#versions.removeFiles(ids);
  }

  #withIds(plan: Omit<MergeJob, "firstId">): MergeJob {
    return { ...plan, firstId: this.#versions.reserveIds(plan.mostOutputs) };
  }

  /** Undefined if the loop must merge. Another disk over a directory may do more than the real one. */
  #diskOfWorker({ runs }: Omit<MergeJob, "firstId">): NodeDisk | undefined {
    if (!this.#options.worker || this.#hasLostWorker || !(this.#disk instanceof NodeDisk)) return undefined;
    const bytes = fileBytesOf(runs.flat());
    return bytes >= LEAST_WORKER_BYTES ? this.#disk : undefined;
  }
}

function describe(pick: Pick<LiveTable>, { current }: VersionSet): CompactionBegin {
  if (pick.kind === "drop") {
    const ids = new Set(pick.tables.map(({ id }) => id));
    const tables = current.levels.flat().filter(({ meta }) => ids.has(meta.id));
    const level = Math.max(...pick.tables.map((table) => table.level));
    return { kind: "drop", level, inputTables: tables.length, inputBytes: bytesOf(tables) };
  }
  const tables = pick.kind === "move" ? [pick.table] : pick.inputs.flatMap((input) => input.tables);
  return { kind: pick.kind, level: pick.to, inputTables: tables.length, inputBytes: bytesOf(tables) };
}
