import { setTimeout as sleep } from "node:timers/promises";
import type { EventStream } from "./event-stream.js";
import { problemOf } from "./refusal.js";
import type { ChangeSink, StudioStore } from "./store.js";

const LOOK_MS = 1000;

/** The event streams that are open. The store is followed, and looked at, once for all of them, and only while there are any. */
export class Live {
  readonly #store: StudioStore;
  readonly #streams = new Set<EventStream>();
  /** The last look, while the store is looked at. */
  #look: string | undefined;
  #following: { readonly ended: AbortController; readonly done: Promise<void> } | undefined;

  constructor(store: StudioStore) {
    this.#store = store;
  }

  get count(): number {
    return this.#streams.size;
  }

  add(stream: EventStream): void {
    this.#streams.add(stream);
    if (this.#look !== undefined) stream.look(this.#look);
    if (this.#following === undefined) {
      const ended = new AbortController();
      this.#following = { ended, done: this.#run(ended) };
    }
  }

  async remove(stream: EventStream): Promise<void> {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) await this.#stop();
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    this.#endAll();
    await this.#stop();
  }

  async #stop(): Promise<void> {
    const following = this.#following;
    this.#following = undefined;
    this.#look = undefined;
    following?.ended.abort();
    await following?.done;
  }

  async #run(ended: AbortController): Promise<void> {
    const { signal } = ended;
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
      signal.addEventListener("abort", begin, { once: true });
    });
    const parts = [this.#store.follow(this.#sink(begin), signal), this.#lookOn(begun, signal)].map((part) =>
      part.catch((error: unknown) => {
        ended.abort();
        throw error;
      }),
    );
    const failed = (await Promise.allSettled(parts)).find(({ status }) => status === "rejected");
    if (failed?.status !== "rejected" || this.#following?.ended !== ended) return; // it was stopped
    // All streams that are there are told, and a later one begins anew.
    this.#following = undefined;
    this.#look = undefined;
    this.#endAll(failed.reason);
  }

  /** A stream's first look says that it is told of each later change: a page reads keys and values behind it. */
  async #lookOn(begun: Promise<void>, signal: AbortSignal): Promise<void> {
    await begun;
    while (!signal.aborted) {
      const look = JSON.stringify(await this.#store.look());
      if (signal.aborted) return;
      this.#look = look;
      for (const stream of this.#streams) stream.look(look);
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #sink(begin: () => void): ChangeSink {
    return {
      begun: begin,
      changed: (lsn, operations) => {
        for (const stream of this.#streams) stream.changed(lsn, operations);
      },
      missed: (records) => {
        for (const stream of this.#streams) stream.missed(records);
      },
      settled: () => {
        for (const stream of this.#streams) stream.settled();
      },
    };
  }

  #endAll(error?: unknown): void {
    const problem = error === undefined ? undefined : problemOf(error);
    for (const stream of this.#streams) stream.end(problem);
    this.#streams.clear();
  }
}
