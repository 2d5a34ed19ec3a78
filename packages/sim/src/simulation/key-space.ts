import type { Random } from "@kaya/io";
import type { StepRange } from "./steps.js";

// The empty key, prefixes of each other, the lowest and the highest byte, and their neighbours.
const SPECIAL = ["", "\0", "\0\0", "a", "a\0", "a\xff", "ab", "b", "\xfe", "\xff", "\xff\xff"];

/** The few keys of a run, so that writes and reads meet each other; and ranges whose bounds are near them. */
export class KeySpace {
  readonly #random: Random;
  readonly #keys: readonly string[];

  constructor(random: Random) {
    this.#random = random;
    const users = 2 + random.below(14);
    this.#keys = [
      ...SPECIAL.filter(() => random.chance(0.5)),
      ...Array.from({ length: users }, (_, i) => `user:${i}`),
      ...(random.chance(0.2) ? ["k".repeat(1 + random.below(200))] : []),
    ];
  }

  key(random = this.#random): string {
    return this.#keys[random.below(this.#keys.length)] ?? "";
  }

  keys(most: number, random = this.#random): string[] {
    return Array.from({ length: 1 + random.below(most) }, () => this.key(random));
  }

  bounds(random: Random): Omit<StepRange, "reverse" | "limit"> {
    return {
      ...(random.chance(0.3) && { prefix: this.key(random).slice(0, 1 + random.below(6)) }),
      ...(random.chance(0.2) && { [random.pick(["gt", "gte"])]: this.key(random) }),
      ...(random.chance(0.2) && { [random.pick(["lt", "lte"])]: this.key(random) }),
    };
  }

  range(random = this.#random): StepRange {
    return {
      ...this.bounds(random),
      ...(random.chance(0.3) && { reverse: true }),
      ...(random.chance(0.3) && { limit: random.below(8) }),
    };
  }
}
