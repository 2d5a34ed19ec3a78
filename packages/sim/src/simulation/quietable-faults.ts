import type { FaultRule, MutatingKind } from "@kaya/io";
import { ArmedFaults, type ReadingKind, type Strike } from "./armed-faults.js";

/** Faults that can be told to wait for as long as something takes. */
export class QuietableFaults extends ArmedFaults {
  #isQuiet = false;

  /** No fault meets what happens until this is done. */
  async quietly<T>(run: () => Promise<T>): Promise<T> {
    const before = this.#isQuiet;
    this.#isQuiet = true;
    try {
      return await run();
    } finally {
      this.#isQuiet = before;
    }
  }

  override nextRule(
    at: number,
    operation: MutatingKind,
    path: string,
    strikes: Strike[],
  ): FaultRule | undefined {
    return this.#isQuiet ? undefined : super.nextRule(at, operation, path, strikes);
  }

  override nextReadRule(
    atRead: number,
    operation: ReadingKind,
    path: string,
    strikes: Strike[],
  ): FaultRule | undefined {
    return this.#isQuiet ? undefined : super.nextReadRule(atRead, operation, path, strikes);
  }
}
