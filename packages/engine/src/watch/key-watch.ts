import type { Entry } from "../entry.js";
import { Watch } from "./watch.js";
import type { Watched } from "./watches.js";

/** A longer wait is cut into pieces: the clock may be set meanwhile. */
const LONGEST_WAIT_MS = 60_000;

/** The newest entry of a key, each time that it has become another one; also where its value expires. */
export class KeyWatch extends Watch<Entry> {
  readonly #watched: Watched;
  readonly key: Uint8Array;
  readonly #wantsInitial: boolean;
  #isInitial = true;
  /** Of a write that readers do not see yet. */
  #staged: Entry | undefined;
  /** What is to be told next. */
  #newest: Entry | undefined;
  /** What was told last, or was there in the beginning: that the key is absent, or has a value until then. */
  #isAbsent = false;
  #expiresAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;

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
    return this.#wantsInitial ? this.#takeInitial() : this.#takeFirst();
  }

  protected letGo(): void {
    clearTimeout(this.#timer);
    this.#newest = undefined;
    this.#staged = undefined;
  }

  async #takeInitial(): Promise<Entry> {
    const entry = await this.#watched.entry(this.key);
    // What came while it was read is newer.
    return this.#tell(this.#newest ?? entry);
  }

  /** The first change: that what is there expires is one, too. */
  async #takeFirst(): Promise<Entry | undefined> {
    // What a change left that came already would not tell what was there before.
    if (this.#newest === undefined) this.#note(await this.#watched.entry(this.key));
    return this.#takeNewest();
  }

  #takeNewest(): Entry | undefined {
    const entry = this.#newest;
    if (entry === undefined)
      return this.#hasExpired(this.#expiresAt) ? this.#tell(this.#absent()) : undefined;
    // It was told to be absent. That it had a value in between is not told.
    if (this.#isAbsent && (entry.value === undefined || this.#hasExpired(entry.expiresAt))) {
      this.#newest = undefined;
      return undefined;
    }
    return this.#tell(entry);
  }

  #tell(entry: Entry): Entry {
    const told = this.#hasExpired(entry.expiresAt) ? this.#absent() : entry;
    this.#newest = undefined;
    this.#note(told);
    return told;
  }

  #note({ value, expiresAt }: Entry): void {
    this.#isAbsent = value === undefined;
    this.#expiresAt = expiresAt;
    this.#wait();
  }

  #absent(): Entry {
    return { key: new Uint8Array(this.key), value: undefined, sequence: undefined };
  }

  #hasExpired(expiresAt: number | undefined): boolean {
    return expiresAt !== undefined && expiresAt <= this.#watched.now();
  }

  /** Until the value that was told goes away, unless another one is told before. It keeps no process alive. */
  #wait(): void {
    clearTimeout(this.#timer);
    if (this.#expiresAt === undefined) return;
    const wait = Math.min(this.#expiresAt - this.#watched.now(), LONGEST_WAIT_MS);
    this.#timer = setTimeout(() => {
      if (this.#hasExpired(this.#expiresAt)) this.wake();
      else this.#wait();
    }, wait).unref();
  }
}
