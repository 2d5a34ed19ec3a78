import type { Entry } from "../entry.js";
import { Watch } from "./watch.js";
import type { Watched } from "./watches.js";

/** The newest entry of a key, each time that it has become another one. */
export class KeyWatch extends Watch<Entry> {
  readonly #watched: Watched;
  readonly key: Uint8Array;
  readonly #wantsInitial: boolean;
  #isInitial = true;
  /** Of a write that readers do not see yet. */
  #staged: Entry | undefined;
  /** What is to be told next. */
  #newest: Entry | undefined;
  /** What was told last was that the key is absent. */
  #isAbsent = false;

  /** @internal Made by `Engine.watch`. */
  constructor(
    watched: Watched,
    key: Uint8Array,
    options: { signal: AbortSignal | undefined; initial: boolean },
  ) {
    super(watched, options.signal);
    this.#watched = watched;
    this.key = key;
    this.#wantsInitial = options.initial;
  }

  /** @internal */
  stage(entry: Entry): void {
    this.#staged = entry;
  }

  /** What was staged can be read now. @internal */
  publish(): void {
    this.#newest = this.#staged ?? this.#newest;
    this.#staged = undefined;
    this.wake();
  }

  protected async begin(): Promise<void> {
    await this.#watched.whenSettled(() => this.#watched.addKey(this));
  }

  protected take(): Entry | undefined | Promise<Entry | undefined> {
    if (!this.#isInitial) return this.#takeNewest();
    this.#isInitial = false;
    return this.#wantsInitial ? this.#takeInitial() : this.#takeNewest();
  }

  protected letGo(): void {
    this.#newest = undefined;
    this.#staged = undefined;
  }

  async #takeInitial(): Promise<Entry> {
    const entry = await this.#watched.entry(this.key);
    // What came while it was read is newer.
    return this.#told(this.#newest ?? entry);
  }

  #takeNewest(): Entry | undefined {
    const entry = this.#newest;
    if (entry === undefined) return undefined;
    this.#newest = undefined;
    // It had a value in between, which nobody was told of.
    return this.#isAbsent && entry.value === undefined ? undefined : this.#told(entry);
  }

  #told(entry: Entry): Entry {
    this.#newest = undefined;
    this.#isAbsent = entry.value === undefined;
    return entry;
  }
}
