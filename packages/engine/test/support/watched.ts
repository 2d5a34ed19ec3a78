import { setImmediate as nextTurn } from "node:timers/promises";
import type { Entry, WatchChange } from "../../src/index.js";
import { latin1 } from "./text.js";

/** Takes all that a watch tells, and notes how it ends. */
export class WatchReader<T extends Entry | WatchChange> {
  readonly told: T[] = [];
  error: unknown;
  readonly over: Promise<void>;

  constructor(watch: AsyncIterable<T>) {
    this.over = this.#read(watch);
  }

  get texts(): string[] {
    return this.told.map(textOf);
  }

  /** Once as many were told. */
  async reaches(count: number): Promise<string[]> {
    while (this.told.length < count && this.error === undefined) await nextTurn();
    return this.texts;
  }

  async #read(watch: AsyncIterable<T>): Promise<void> {
    try {
      for await (const each of watch) this.told.push(each);
    } catch (error) {
      this.error = error;
    }
  }
}

export function textOf(told: Entry | WatchChange): string {
  if ("type" in told && told.type === "deleteRange")
    return `-[${latin1(told.start)}, ${told.end === undefined ? "" : latin1(told.end)})`;
  const value = "value" in told ? told.value : undefined;
  return value === undefined ? `-${latin1(told.key)}` : `${latin1(told.key)}=${latin1(value)}`;
}
