import { type Engine, KayaError } from "@kaya/engine";

interface Held {
  readonly engine: Engine;
  users: number;
}

/** An engine that can be replaced. The old one is closed once no call uses it any more. */
export class ReplaceableEngine {
  #held: Held;
  #isClosed = false;

  constructor(engine: Engine) {
    this.#held = { engine, users: 1 };
  }

  /** @throws KayaError KAYA_CLOSED */
  async use<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new KayaError("KAYA_CLOSED", "the studio is being closed");
    const held = this.#held;
    held.users++;
    try {
      return await work(held.engine);
    } finally {
      await letGo(held);
    }
  }

  /** From now on `engine` is used. */
  async replace(engine: Engine): Promise<void> {
    if (this.#isClosed) return engine.close();
    const before = this.#held;
    this.#held = { engine, users: 1 };
    await letGo(before);
  }

  /** Closes it; what reads it rejects with KAYA_CLOSED. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#held.engine.close();
  }
}

async function letGo(held: Held): Promise<void> {
  if (--held.users === 0) await held.engine.close();
}
