import { setImmediate } from "node:timers/promises";
import { KayaError } from "@kaya/core";
import { parentOf } from "../relative-path.js";

/** The life of everything that was opened between two crashes: all of it ends at once. */
export class Session {
  /** Mutating operations first wait for a `turn`. */
  readonly isUnhurried: boolean;
  #end: string | undefined;
  /** Another directory has the name: operations with a path are refused. */
  #isReplaced = false;
  /** Directories that are held open. */
  readonly #held = new Set<string>();

  constructor(isUnhurried: boolean) {
    this.isUnhurried = isUnhurried;
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  end(how: string): void {
    this.#end = how;
  }

  replaceDirectory(): void {
    this.#isReplaced = true;
  }

  get isReplaced(): boolean {
    return this.#isReplaced;
  }

  /** From now on no descriptor is needed to sync the directory, nor those above it. */
  hold(dir: string): void {
    for (let above = dir; above !== ""; above = parentOf(above)) this.#held.add(above);
    this.#held.add("");
  }

  holds(dir: string): boolean {
    return this.#held.has(dir);
  }

  /** @throws KayaError KAYA_CLOSED once it is over. */
  check(path: string): void {
    if (this.#end === undefined) return;
    throw new KayaError("KAYA_CLOSED", `${path} is closed: ${this.#end} since it was opened`);
  }

  /** Lets the caller go on first; operations go on in the order of their calls. @throws KayaError KAYA_CLOSED as `check` */
  async turn(path: string): Promise<void> {
    await setImmediate();
    this.check(path);
  }
}
