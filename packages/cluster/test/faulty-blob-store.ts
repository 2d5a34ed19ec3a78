import { KayaError } from "@kaya/core";
import type { BlobOptions, BlobRange, BlobStore } from "../src/index.js";

/** `before`: the call fails and does nothing. `after`: the call is done, and then fails. */
export type BlobFault = "before" | "after";

/** A blob store whose calls fail where a test wants it. */
export class FaultyBlobStore implements BlobStore {
  readonly name: string;
  readonly #inner: BlobStore;
  /** Method and name of each call so far. */
  readonly calls: string[] = [];
  /** Chooses which calls fail. Calls are counted from 0. */
  fault: (call: number, method: string, name: string) => BlobFault | undefined = () => undefined;

  /** The error of a call that fails. */
  error: (call: number, method: string, name: string) => Error = failure;

  constructor(inner: BlobStore) {
    this.#inner = inner;
    this.name = inner.name;
  }

  put(name: string, content: Uint8Array | AsyncIterable<Uint8Array>, options?: BlobOptions): Promise<void> {
    return this.#call("put", name, () => this.#inner.put(name, content, options));
  }

  get(name: string, options?: BlobRange): Promise<Uint8Array> {
    return this.#call("get", name, () => this.#inner.get(name, options));
  }

  async *stream(name: string, options?: BlobRange): AsyncGenerator<Uint8Array, void> {
    await this.#call("stream", name, async () => undefined);
    yield* this.#inner.stream(name, options);
  }

  head(name: string, options?: BlobOptions) {
    return this.#call("head", name, () => this.#inner.head(name, options));
  }

  async *list(prefix: string, options?: BlobOptions) {
    await this.#call("list", prefix, async () => undefined);
    yield* this.#inner.list(prefix, options);
  }

  delete(name: string, options?: BlobOptions): Promise<void> {
    return this.#call("delete", name, () => this.#inner.delete(name, options));
  }

  async #call<T>(method: string, name: string, run: () => Promise<T>): Promise<T> {
    const call = this.calls.length;
    this.calls.push(`${method} ${name}`);
    const fault = this.fault(call, method, name);
    if (fault === "before") throw this.error(call, method, name);
    const result = await run();
    if (fault === "after") throw this.error(call, method, name);
    return result;
  }
}

function failure(call: number, method: string, name: string): KayaError {
  return new KayaError("KAYA_IO", `injected: call ${call}, ${method} ${name}`);
}
