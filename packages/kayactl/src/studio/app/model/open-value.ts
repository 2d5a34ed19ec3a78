import { signal } from "@preact/signals";
import type { Base64Url, Change } from "../../api.js";
import { compare, concat, fromBase64Url } from "../lib/bytes.js";
import { getValue } from "../lib/client.js";
import { changesKey } from "./key-bounds.js";
import { gaps, isOwnWrite, whenFollowed } from "./live.js";
import { type Formats, formatsOf } from "./value-format.js";

/** A larger value is never loaded whole: it is shown in parts. */
export const MOST_WHOLE = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const MOST_CHUNKS = 64;

interface Seen {
  readonly etag: string;
  readonly length: number;
  readonly expiresAt?: number;
}

export interface WholeValue extends Seen {
  readonly kind: "whole";
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly formats: Formats;
}

export interface LargeValue extends Seen {
  readonly kind: "large";
  readonly head: Uint8Array<ArrayBuffer>;
}

export type ValueState =
  | { readonly kind: "loading" }
  | { readonly kind: "absent" }
  | { readonly kind: "error"; readonly error: unknown }
  | WholeValue
  | LargeValue;

/** A key that has another value than the one that is shown, or none. */
export interface OtherValue {
  readonly isGone: boolean;
  /** When it changed; undefined: the change was not told. */
  readonly at?: number;
}

/** The value of one key, as it was when it was read. */
export class OpenValue {
  readonly key: Base64Url;
  readonly state = signal<ValueState>({ kind: "loading" });
  /** Set once the key changed since it was read. */
  readonly changed = signal<OtherValue | undefined>(undefined);
  /** Moves when a chunk arrives. */
  readonly version = signal(0);
  /** Why a part of it cannot be shown. */
  readonly partError = signal<unknown>(undefined);
  readonly #aborter = new AbortController();
  readonly #chunks = new Map<number, Uint8Array<ArrayBuffer> | undefined>();
  #loads = 0;
  /** `gaps` when the value was read or checked last. */
  #gaps = -1;
  #isChecking = false;

  constructor(key: Base64Url) {
    this.key = key;
    void this.load();
  }

  close(): void {
    this.#aborter.abort();
  }

  /** Reads it again. What is shown stays until the new value is there. */
  async load(): Promise<void> {
    const load = ++this.#loads;
    this.changed.value = undefined;
    let state: ValueState;
    await whenFollowed();
    const before = gaps.peek();
    try {
      state = await this.#read();
    } catch (error) {
      if (this.#aborter.signal.aborted) return;
      state = { kind: "error", error };
    }
    if (load !== this.#loads) return;
    this.#gaps = before;
    this.#chunks.clear();
    if (state.kind === "large") this.#chunks.set(0, state.head);
    this.partError.value = undefined;
    this.state.value = state;
  }

  async #read(): Promise<ValueState> {
    for (;;) {
      const first = await getValue(this.key, 0, CHUNK_BYTES, this.#aborter.signal);
      if (first === undefined) return { kind: "absent" };
      const { bytes: head, ...seen } = first;
      if (seen.length > MOST_WHOLE) return { ...seen, kind: "large", head };
      const missing = seen.length - head.length;
      if (missing <= 0) return { ...seen, kind: "whole", bytes: head, formats: formatsOf(head) };
      const rest = await getValue(this.key, head.length, missing, this.#aborter.signal);
      // Another value meanwhile: its halves do not belong together.
      if (rest === undefined || rest.etag !== seen.etag) continue;
      const bytes = concat([head, rest.bytes]);
      return { ...seen, kind: "whole", bytes, formats: formatsOf(bytes) };
    }
  }

  /** Bytes of a large value, or undefined while they are on their way. Within one chunk. */
  bytesAt(offset: number, length: number): Uint8Array | undefined {
    const index = Math.floor(offset / CHUNK_BYTES);
    const chunk = this.#chunks.get(index);
    if (chunk === undefined) {
      if (!this.#chunks.has(index)) void this.#readChunk(index);
      return undefined;
    }
    const at = offset - index * CHUNK_BYTES;
    return chunk.subarray(at, at + length);
  }

  async #readChunk(index: number): Promise<void> {
    const state = this.state.value;
    if (state.kind !== "large" || this.partError.value !== undefined) return;
    this.#chunks.set(index, undefined);
    try {
      const bytes = await this.readPart(index * CHUNK_BYTES, CHUNK_BYTES);
      this.#chunks.set(index, bytes);
      for (const old of this.#chunks.keys()) {
        if (this.#chunks.size <= MOST_CHUNKS) break;
        if (old !== index) this.#chunks.delete(old);
      }
    } catch (error) {
      this.#chunks.delete(index);
      if (this.#aborter.signal.aborted) return;
      this.partError.value = error;
    }
    this.version.value++;
  }

  /**
   * Some bytes of the value that is shown.
   * @throws Error where the key has another value by now, or none
   */
  async readPart(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const state = this.state.value;
    const part = await getValue(this.key, offset, length, this.#aborter.signal);
    if (part === undefined || !("etag" in state) || part.etag !== state.etag) {
      throw new Error("The value changed while it was read. Show the new value to go on.");
    }
    return part.bytes;
  }

  apply(batch: readonly Change[]): void {
    const bytes = fromBase64Url(this.key);
    const last = batch.findLast((change) => changesKey(change, bytes));
    if (last === undefined || isOwnWrite(last)) return;
    // The value looks the same, so there is nothing to tell. But its ETag is another one.
    if (isShown(last, this.state.value)) void this.load();
    else this.changed.value = { isGone: last.kind !== "put", at: last.at };
  }

  /**
   * Asks whether the key changed, if that may not have been told.
   * @param isFollowed false: no change of the key is told, because it is not below the prefix that is followed
   */
  async check(isFollowed: boolean): Promise<void> {
    const before = gaps.peek();
    const state = this.state.peek();
    if (isFollowed && before === this.#gaps) return;
    if (this.#isChecking || this.changed.peek() !== undefined) return;
    if (state.kind === "loading" || state.kind === "error") return;
    this.#isChecking = true;
    const loads = this.#loads;
    try {
      const now = await getValue(this.key, 0, 0, this.#aborter.signal);
      if (loads !== this.#loads) return;
      this.#gaps = before;
      const seen = state.kind === "absent" ? undefined : state.etag;
      if (now?.etag !== seen) this.changed.value ??= { isGone: now === undefined };
    } catch {
      // The next check asks again; a connection that is lost is told elsewhere.
    } finally {
      this.#isChecking = false;
    }
  }
}

function isShown({ kind, length, head = "", expiresAt }: Change, state: ValueState): boolean {
  if (kind !== "put") return state.kind === "absent";
  if (state.kind !== "whole") return false;
  const start = fromBase64Url(head);
  // Of a longer value only the beginning is told.
  const isWhole = length === start.length && length === state.length;
  return isWhole && expiresAt === state.expiresAt && compare(state.bytes, start) === 0;
}
