import type { Random } from "@kaya/io";
import type { IndexStep, RowChange } from "./steps.js";
import { INDEX_CHANCES, INDEX_WEIGHTS, pickByWeight } from "./weights.js";

const ROWS = 12;
/** Few enough that some writes break uniqueness. */
const UNIQUE_KEYS = 16;
const OTHER_KEYS = ["a", "b", "c", "d"];

/** Makes the steps of rows with indexes, which come before the other steps of a run. */
export class RowSteps {
  readonly #random: Random;
  readonly #chance: number;

  /** @param chance default: by the random stream, none in three of five runs */
  constructor(random: Random, chance: number | undefined) {
    this.#random = random;
    const picked = random.pick(INDEX_CHANCES);
    this.#chance = chance ?? picked;
  }

  /** None, or one. */
  next(): readonly IndexStep[] {
    return this.#random.chance(this.#chance) ? [this.#make()] : [];
  }

  #make(): IndexStep {
    const random = this.#random;
    const step = pickByWeight(INDEX_WEIGHTS, random);
    switch (step) {
      case "index-write": {
        const rows = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => this.#change());
        const inTransaction = random.chance(0.15);
        return { step, rows, durability: this.#durability(), ...(inTransaction && { inTransaction }) };
      }
      case "index-clear":
        return { step, durability: this.#durability() };
      default:
        return { step };
    }
  }

  #change(): RowChange {
    const random = this.#random;
    const key = `${random.below(ROWS)}`;
    if (random.chance(0.2)) return { key };
    const unique = random.chance(0.8) ? { unique: `u${random.below(UNIQUE_KEYS)}` } : {};
    return { key, row: { ...unique, many: OTHER_KEYS.filter(() => random.chance(0.4)) } };
  }

  #durability(): "strict" | "relaxed" {
    return this.#random.chance(0.5) ? "strict" : "relaxed";
  }
}
