import type { Engine } from "@kaya/engine";
import type { InFlight } from "./in-flight.js";
import type { SimulatedTransaction } from "./simulated-transaction.js";
import type { TransactionStep } from "./steps.js";
import type { World } from "./world.js";

/** More are not open at a time: the oldest ends. */
const MOST_OPEN = 3;

/** The transactions of one process whose functions have not ended. */
export class Transactions {
  readonly #world: World;
  readonly #engine: Engine;
  readonly #inFlight: InFlight;
  readonly #open: SimulatedTransaction[] = [];

  constructor(world: World, engine: Engine, inFlight: InFlight) {
    this.#world = world;
    this.#engine = engine;
    this.#inFlight = inFlight;
  }

  async run(step: TransactionStep): Promise<void> {
    if (step.step === "open-transaction") {
      const [oldest] = this.#open.length < MOST_OPEN ? [] : this.#open.splice(0, 1);
      if (oldest !== undefined) await this.#inFlight.end(oldest, false);
      // It reads what is acknowledged now.
      else this.#open.push(this.#inFlight.open(step, this.#world, this.#engine));
      return;
    }
    const at = step.of % Math.max(this.#open.length, 1);
    const transaction = this.#open[at];
    if (transaction === undefined) return;
    if (step.step === "transaction-get") return transaction.get(step.keys);
    if (step.step === "transaction-scan") return transaction.scan(step.range, step.take);
    if (step.step === "transaction-write") return transaction.write(step.id, step.operations);
    this.#open.splice(at, 1);
    return this.#inFlight.end(transaction, step.fails === true);
  }
}
