import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Engine, KayaError } from "@kaya/engine";
import { readLockHolder } from "@kaya/io";
import { DirectoryWatch } from "../look/directory-watch.js";
import { engineConfig, type GlobalOptions } from "../options.js";
import { version } from "../version.js";
import { recoveryWarnings } from "../with-engine.js";
import type { Look, StoreInfo } from "./api.js";
import { Latencies } from "./latencies.js";
import { LogTail } from "./log-tail.js";
import { lookFromOutside } from "./looks.js";
import { type Reading, readFrom } from "./reading.js";
import { ReplaceableEngine } from "./replaceable-engine.js";
import type { ChangeSink, StudioStore } from "./store.js";

const POLL_MS = 200;

/** A refresh reads the log behind the tables again. Where it takes longer than this, it rests for twice as long, but not for ever. */
const QUICK_MS = 50;
const MOST_REST_MS = 2000;

/** A read waits this long for a refresh; then it reads without it. */
const PATIENCE_MS = 400;

/**
 * A data directory that another process may have open. A read first looks at the files, and refreshes the engine if anything was written since.
 * So reads see flushes, compactions, a close and another opening. They do not wait long for it.
 */
export class ReaderStore implements StudioStore {
  readonly maxValueBytes = 0;
  readonly #options: GlobalOptions;
  readonly #watch: DirectoryWatch;
  readonly #latencies = { gets: new Latencies(), writes: new Latencies() };
  readonly #engine: ReplaceableEngine;
  #tail: LogTail;
  #sink: ChangeSink | undefined;
  /** The state of the files at the last refresh of the engine. */
  #shown: string | undefined;
  /** When the next refresh may begin. */
  #refreshFrom = 0;
  /** The look at the files that is under way, and the one that comes after it. */
  #freshening: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  /** @param engine one that was opened with `readOnlyConfig`; it belongs to the store */
  constructor(options: GlobalOptions, engine: Engine) {
    this.#options = options;
    this.#engine = new ReplaceableEngine(engine);
    this.#watch = new DirectoryWatch(options.data, options.maxRecordBytes);
    this.#tail = this.#newTail();
  }

  async info(): Promise<StoreInfo> {
    await this.#freshenSoon();
    const { data } = this.#options;
    const holder = await readLockHolder(join(data, "LOCK"));
    const warnings = await this.#engine.use(async (engine) => recoveryWarnings(engine));
    return {
      dataDir: resolve(data),
      mode: "reader",
      ...(holder?.state === "held" && { writerPid: holder.pid }),
      version: version(),
      warnings,
    };
  }

  async read<T>(work: (reading: Reading) => Promise<T>): Promise<T> {
    await this.#freshenSoon();
    return this.#engine.use((engine) => readFrom(engine, this.#latencies.gets, work));
  }

  async look(): Promise<Look> {
    const look = await this.#watch.look();
    const stats = await this.#engine.use(async (engine) => engine.stats());
    return lookFromOutside(look, stats, this.#latencies);
  }

  async follow(sink: ChangeSink, signal: AbortSignal): Promise<void> {
    await this.#freshen(); // what was written before is passed over
    this.#sink = sink;
    sink.begun();
    try {
      while (!signal.aborted) {
        await this.#freshen();
        await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      if (this.#sink === sink) this.#sink = undefined;
    }
  }

  assertWritable(): never {
    throw new KayaError(
      "KAYA_READ_ONLY",
      "the studio only reads: `kayactl studio --write` starts one that writes",
    );
  }

  async put(): Promise<never> {
    return this.assertWritable();
  }

  async delete(): Promise<never> {
    return this.assertWritable();
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await this.#freshening; // an engine that it opened meanwhile is closed, too
  }

  /** As `#freshen`, but waits no longer than `PATIENCE_MS`. */
  async #freshenSoon(): Promise<void> {
    const impatience = new AbortController();
    const patience = sleep(PATIENCE_MS, undefined, { signal: impatience.signal }).catch(() => undefined);
    await Promise.race([this.#freshen(), patience]).finally(() => impatience.abort());
  }

  /** Looks at the files, from this call on, and moves the engine on. */
  #freshen(): Promise<void> {
    // Calls during a look share the next one: that under way may have begun before what they want to see.
    this.#next ??= this.#freshening.then(() => {
      this.#next = undefined;
      const now = this.#freshenNow();
      this.#freshening = now.catch(() => undefined); // its callers have the rejection
      return now;
    });
    return this.#next;
  }

  async #freshenNow(): Promise<void> {
    const found = await this.#tail.poll(this.#sink);
    if (found !== this.#shown) {
      const started = performance.now();
      if (started < this.#refreshFrom) return; // what was read is told once it is shown
      await this.#refresh();
      const took = performance.now() - started;
      if (took > QUICK_MS) this.#refreshFrom = performance.now() + Math.min(2 * took, MOST_REST_MS);
      this.#shown = found;
    }
    this.#sink?.settled();
  }

  async #refresh(): Promise<void> {
    try {
      await this.#engine.use((engine) => engine.refresh());
    } catch (error) {
      if (KayaError.is(error, "KAYA_CLOSED")) throw error;
      // A recovery cut the log, or another directory took the place of this one: open what is there now, or throw what is wrong with it.
      await this.#engine.replace(await Engine.open(readOnlyConfig(this.#options)));
      this.#tail = this.#newTail();
      this.#sink?.missed(1); // it is not known what changed: at least one record
    }
  }

  #newTail(): LogTail {
    return new LogTail(this.#options.data, this.#options.maxRecordBytes);
  }
}

export function readOnlyConfig(options: GlobalOptions): Parameters<typeof Engine.open>[0] {
  return { ...engineConfig(options), readOnly: true };
}
