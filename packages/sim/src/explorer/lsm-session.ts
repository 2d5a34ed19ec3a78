import type { CrashOptions, SimDisk } from "@kaya/io";
import { type LsmOptions, LsmTree } from "@kaya/lsm";
import { isGranted } from "./answers.js";
import type { History } from "./history.js";
import { checkTree, type LsmFlush, type LsmOperation, sourceOf } from "./lsm-write.js";

/** Gives the same seeds each time: a run is to be the same again. */
function seeds(): () => Uint8Array {
  let made = 0;
  return () => {
    const seed = new Uint8Array(16);
    new DataView(seed.buffer).setUint32(0, ++made);
    return seed;
  };
}

/** Tiny tables, so that few operations make levels. */
export function tinyTree(options: LsmOptions = {}): LsmOptions {
  return {
    tableBytes: 600,
    baseLevelBytes: 700,
    levelRatio: 2,
    level0Tables: 2,
    level0Stop: 4,
    blockBytes: 512,
    cacheBytes: 32 * 1024,
    manifestBytes: 900,
    quietMs: 0,
    randomSeed: seeds(),
    ...options,
  };
}

/** Uses a tree as an engine would that keeps its log: over faults, crashes and reopenings nothing is forgotten, only flushed again. */
export class LsmSession {
  readonly #disk: SimDisk;
  readonly #history: History<LsmFlush>;
  readonly #options: LsmOptions;
  readonly #operations: LsmOperation[] = [];
  /** Flushes of which it is not known yet whether they are there. */
  #open: LsmFlush[] = [];
  /** What its trees take for the time. It goes on only. */
  now = 1;
  #tree: LsmTree | undefined;

  constructor(disk: SimDisk, history: History<LsmFlush>, options: LsmOptions = {}) {
    this.#disk = disk;
    this.#history = history;
    this.#options = options;
  }

  get tree(): LsmTree {
    if (this.#tree === undefined) throw new Error("the session is not open");
    return this.#tree;
  }

  /** Everything that was written so far. */
  get operations(): readonly LsmOperation[] {
    return [...this.#operations];
  }

  /** Opens the tree. What it shows is durable, and a flush that it does not show never comes back. */
  async open(): Promise<void> {
    this.#opened(await LsmTree.open(this.#disk.session(), this.#treeOptions));
  }

  /**
   * Opens the tree as an engine with a long log does: data that the tables do not have is staged in a few tables, which the opening
   * publishes. False if that was refused; then it is not open.
   */
  async openStaging(pieces = 3): Promise<boolean> {
    const { operations } = this;
    const found = await LsmTree.look(this.#disk.session(), this.#treeOptions);
    const covered = found.covered.sequence;
    const flush: LsmFlush = { operations };
    this.#history.attempt(flush);
    this.#open.push(flush);
    const isOpen = await isGranted(
      (async () => {
        for (let piece = 1, from = covered; piece <= pieces; piece++) {
          const upTo = covered + Math.ceil(((operations.length - covered) * piece) / pieces);
          await found.stage(sourceOf(operations.slice(0, upTo), from), { lsn: upTo, sequence: upTo });
          from = upTo;
        }
        const shown = operations.slice(0, covered);
        await checkTree(found.snapshot(), shown, "looked at, with tables staged", this.now);
        this.#opened(await found.open());
      })(),
    );
    await found.close();
    return isOpen;
  }

  get #treeOptions(): LsmOptions {
    return tinyTree({ ...this.#options, now: () => this.now });
  }

  #opened(tree: LsmTree): void {
    this.#tree = tree;
    const covered = tree.covered.sequence;
    for (const flush of this.#open) {
      if (flush.operations.length <= covered) this.#history.acknowledge(flush);
      else this.#history.reject(flush);
    }
    this.#open = [];
  }

  write(...operations: readonly LsmOperation[]): void {
    this.#operations.push(...operations);
  }

  /** Flushes all that is not flushed yet. False where it was refused. */
  async flush(): Promise<boolean> {
    const operations = this.operations;
    const covered = { lsn: operations.length, sequence: operations.length };
    const flush: LsmFlush = { operations };
    this.#history.attempt(flush);
    const isDone = await isGranted(
      this.tree.flush(sourceOf(operations, this.tree.covered.sequence), covered),
    );
    if (isDone) this.#history.acknowledge(flush);
    else this.#open.push(flush);
    return isDone;
  }

  /** The tree shows what was flushed, now, whatever failed. */
  async check(when: string): Promise<void> {
    await checkTree(this.tree, this.#operations.slice(0, this.tree.covered.sequence), when, this.now);
  }

  async close(): Promise<void> {
    await this.tree.close();
  }

  kill(): void {
    this.#disk.killProcess();
  }

  crash(options?: CrashOptions): void {
    this.#disk.crash(options);
    this.#history.powerCut();
  }
}
