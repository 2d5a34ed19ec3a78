import { KayaError } from "@kaya/core";

/** The life of everything that was opened between two crashes: all of it ends at once. */
export class Session {
  #end: string | undefined;

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  end(how: string): void {
    this.#end = how;
  }

  /** @throws KayaError KAYA_CLOSED once it is over. */
  check(path: string): void {
    if (this.#end === undefined) return;
    throw new KayaError("KAYA_CLOSED", `${path} is closed: ${this.#end} since it was opened`);
  }
}
