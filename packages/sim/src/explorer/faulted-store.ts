import type { KayaError } from "@kaya/core";
import { type CrashOptions, Random } from "@kaya/io";
import { isGranted } from "./answers.js";
import type { FaultedUse, Sequel } from "./fault-pairs.js";

/** A store as a session has it: opened, closed, killed and opened again. */
interface StoreSession {
  open(): Promise<void>;
  close(): Promise<void>;
  kill(): void;
  crash(options: CrashOptions): void;
  /** Why the store that is open failed for good. */
  readonly failure: KayaError | undefined;
}

export interface FaultedStoreOptions {
  /** Of the power cuts. */
  readonly seed: number;
  /** What the first fault strikes: an action of the store in use, its closing, or the opening after a kill. */
  readonly action: "use" | "close" | "open";
}

/** A pair of faults strikes two openings at most. */
const OPENINGS = 4;

/**
 * A store in use that never gives up because of a fault: it retries failed actions, and closes and reopens a store that failed for good.
 */
export abstract class FaultedStore<S extends StoreSession> implements FaultedUse {
  readonly sequels: readonly Sequel[];
  protected readonly session: S;
  readonly #action: FaultedStoreOptions["action"];
  readonly #random: Random;
  #isOpen = false;

  constructor(session: S, { seed, action }: FaultedStoreOptions) {
    this.session = session;
    this.#action = action;
    this.#random = new Random(seed, 1);
    this.sequels = this.#sequels();
  }

  /** Writes something. */
  protected abstract write(round: number): Promise<void>;

  /** The action, where it is one of the store in use. */
  protected abstract use(round: number): Promise<void>;

  /** A strict write that has to be answered. @throws Error where it is not */
  protected abstract mustWork(round: number): Promise<void>;

  async prepare(round: number): Promise<void> {
    await this.#ensureOpen();
    await this.write(round);
  }

  async act(round: number): Promise<void> {
    if (this.#action === "use") {
      if (this.#isOpen) await this.use(round);
    } else if (this.#action === "close") {
      await this.#close();
    } else {
      this.session.kill();
      this.#isOpen = await isGranted(this.session.open());
    }
  }

  async mend(round: number): Promise<void> {
    await this.#ensureOpen();
    await this.mustWork(round);
  }

  #sequels(): readonly Sequel[] {
    const ends: readonly Sequel[] = [
      { name: "closed, opened", weight: 1, follow: () => this.#after(() => this.#close()) },
      {
        name: "killed, opened",
        weight: 1,
        follow: () => this.#after(() => this.#end(() => this.session.kill())),
      },
      { name: "a power cut", weight: 1, follow: () => this.#after(() => this.#end(() => this.#cutPower())) },
    ];
    if (this.#action !== "use") return ends;
    return [
      { name: "again", weight: 3, follow: (round) => this.#after(() => this.act(round)) },
      {
        name: "again twice",
        weight: 2,
        follow: (round) => this.#after(() => this.act(round).then(() => this.act(round))),
      },
      { name: "a write, again", weight: 1, follow: (round) => this.#after(() => this.#writeAndAct(round)) },
      ...ends,
    ];
  }

  async #after(happens: () => Promise<void>): Promise<void> {
    await happens();
    await this.#ensureOpen();
  }

  async #writeAndAct(round: number): Promise<void> {
    if (this.#isOpen) await this.write(round);
    await this.act(round);
  }

  async #end(end: () => void): Promise<void> {
    this.#isOpen = false;
    end();
  }

  #cutPower(): void {
    this.session.crash({ survive: "random", seed: this.#random.uint32() });
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.session.close();
  }

  async #ensureOpen(): Promise<void> {
    if (this.#isOpen && this.session.failure !== undefined) await this.#close();
    for (let attempt = 1; !this.#isOpen && attempt < OPENINGS; attempt++)
      this.#isOpen = await isGranted(this.session.open());
    if (this.#isOpen) return;
    await this.session.open();
    this.#isOpen = true;
  }
}
