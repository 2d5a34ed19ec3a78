import { resolve } from "node:path";
import { DurabilityMode, resolveEngineConfig } from "@kaya/core";
import type { BatchOperation, Engine, WriteResult } from "@kaya/engine";
import type { GlobalOptions } from "../options.js";
import { version } from "../version.js";
import { recoveryWarnings } from "../with-engine.js";
import type { Look, StoreInfo, Written } from "./api.js";
import { assertNotIndexed, readIndexedPrefixes } from "./indexed-rows.js";
import { Latencies } from "./latencies.js";
import { EngineLooks } from "./looks.js";
import { type Reading, readFrom } from "./reading.js";
import type { ChangeSink, StudioStore } from "./store.js";
import { toEtag, type WriteRequest } from "./value.js";

type IndexedPrefixes = Awaited<ReturnType<typeof readIndexedPrefixes>>;

/** A data directory that this process has open: its writes are strict, and are refused if the key changed since it was read. */
export class WriterStore implements StudioStore {
  readonly maxValueBytes = resolveEngineConfig().limits.maxValueBytes;
  readonly #options: GlobalOptions;
  readonly #engine: Engine;
  readonly #indexed: IndexedPrefixes;
  readonly #latencies = { gets: new Latencies(), writes: new Latencies() };
  readonly #looks: EngineLooks;

  private constructor(options: GlobalOptions, engine: Engine, indexed: IndexedPrefixes) {
    this.#options = options;
    this.#engine = engine;
    this.#indexed = indexed;
    this.#looks = new EngineLooks(engine, this.#latencies);
  }

  /** @param engine the caller closes it. @throws KayaError as the engine's reads */
  static async of(options: GlobalOptions, engine: Engine): Promise<WriterStore> {
    return new WriterStore(options, engine, await readIndexedPrefixes(engine));
  }

  async info(): Promise<StoreInfo> {
    return {
      dataDir: resolve(this.#options.data),
      mode: "writer",
      writerPid: process.pid,
      version: version(),
      warnings: recoveryWarnings(this.#engine),
    };
  }

  read<T>(work: (reading: Reading) => Promise<T>): Promise<T> {
    return readFrom(this.#engine, this.#latencies.gets, work);
  }

  async look(): Promise<Look> {
    return this.#looks.look();
  }

  async follow(sink: ChangeSink, signal: AbortSignal): Promise<void> {
    try {
      const since = await this.#engine.changesToken();
      sink.begun();
      for await (const { lsn, operations } of this.#engine.changes({ since, signal })) {
        sink.changed(lsn, operations);
        sink.settled();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  assertWritable(): void {
    // Always: the engine throws if it does not take a write.
  }

  async put(request: WriteRequest, value: Uint8Array): Promise<Written> {
    const { key } = request;
    const expiresAt = await this.#expiryOf(request);
    const put = { type: "put", key, value, ...(expiresAt !== undefined && { expiresAt }) } as const;
    const { lsn, sequence } = await this.#write(request, put);
    return { etag: toEtag(sequence), lsn };
  }

  async delete(request: WriteRequest): Promise<Written> {
    const { lsn } = await this.#write(request, { type: "delete", key: request.key });
    return { lsn };
  }

  async #write({ key, sequence }: WriteRequest, operation: BatchOperation): Promise<WriteResult> {
    assertNotIndexed(this.#indexed, key);
    return this.#latencies.writes.measure(() =>
      this.#engine.batch([operation], {
        conditions: [{ key, sequence }],
        durability: DurabilityMode.Strict,
      }),
    );
  }

  async #expiryOf({ key, sequence, expiresAt }: WriteRequest): Promise<number | undefined> {
    if (expiresAt !== "kept") return expiresAt;
    const entry = sequence === undefined ? undefined : await this.#engine.getEntry(key);
    // If the value is another one by now, the condition refuses the write.
    return entry?.expiresAt;
  }
}
