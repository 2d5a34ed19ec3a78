import { resolve } from "node:path";
import { type Engine, KayaError } from "@kaya/engine";
import type { Context, EngineNeeds, OpenedDirectory } from "../context.js";
import type { GlobalOptions } from "../options.js";
import type { OutputStream } from "../terminal/output.js";
import { openEngine } from "../with-engine.js";

/** Lines of a screen that are left for the prompt and for what follows a list. */
const OTHER_LINES = 3;

/** The engine that the commands of a shell share. */
export class ShellSession implements OpenedDirectory {
  readonly isReadOnly: boolean;
  readonly #options: GlobalOptions;
  readonly #screen: (OutputStream & { readonly rows?: number }) | undefined;
  #engine: Engine | undefined;

  /** @param screen where lists stop at its height */
  constructor(options: GlobalOptions, isReadOnly: boolean, screen: OutputStream | undefined) {
    this.#options = options;
    this.isReadOnly = isReadOnly;
    this.#screen = screen;
  }

  /** Undefined until a command needs it. */
  get engine(): Engine | undefined {
    return this.#engine;
  }

  get mostLines(): number | undefined {
    const rows = this.#screen?.rows ?? 0;
    return rows > OTHER_LINES ? rows - OTHER_LINES : undefined;
  }

  isOf(dataDir: string): boolean {
    return resolve(dataDir) === resolve(this.#options.data);
  }

  async engineFor(context: Context, { create = false, readOnly = false }: EngineNeeds): Promise<Engine> {
    if (this.isReadOnly && !readOnly) {
      throw new KayaError("KAYA_READ_ONLY", "this shell only reads: start one without --read-only to write");
    }
    if (this.#engine === undefined) return this.#open(context, create);
    // A reader shows the data as of its last look.
    if (this.isReadOnly) await this.#engine.refresh();
    return this.#engine;
  }

  async close(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.close();
  }

  async #open(context: Context, create: boolean): Promise<Engine> {
    this.#engine = await openEngine(context, { create, readOnly: this.isReadOnly, runsOn: true });
    return this.#engine;
  }
}
