import type { Engine } from "@kaya/engine";
import { invalid } from "../bytes.js";
import type { Context } from "../context.js";
import { openEngine } from "../with-engine.js";
import { definedIndexes } from "./entry-check.js";

/** A store that is made when its first batch is written. An import that writes nothing makes no data directory. */
export class NewStore {
  readonly #context: Context;
  readonly #pastIndexes: boolean;
  #engine: Engine | undefined;

  /** @param pastIndexes rows of indexes may be written */
  constructor(context: Context, pastIndexes: boolean) {
    this.#pastIndexes = pastIndexes;
    // An interrupted import still writes the entries that it has read, and then the store is made behind the interruption.
    const { signal: _, ...io } = context.io;
    this.#context = { ...context, io };
  }

  /** Undefined before `open`. */
  get engine(): Engine | undefined {
    return this.#engine;
  }

  /** @throws KayaError as `openEngine`; KAYA_INVALID_ARGUMENT if a program has made a store with indexes there in the meantime */
  async open(): Promise<Engine> {
    this.#engine ??= await this.#make();
    return this.#engine;
  }

  async close(): Promise<void> {
    await this.#engine?.close();
  }

  async #make(): Promise<Engine> {
    const engine = await openEngine(this.#context, { create: true, runsOn: true });
    try {
      if (this.#pastIndexes || (await definedIndexes(engine)).length === 0) return engine;
      throw invalid(
        `${this.#context.options.data} was empty when the import began, and has indexes now, for which no entry was checked: import again`,
      );
    } catch (error) {
      await engine.close().catch(() => undefined); // the first error is the one to tell
      throw error;
    }
  }
}
