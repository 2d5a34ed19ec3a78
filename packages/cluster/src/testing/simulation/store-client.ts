import { KayaError, throwIfAborted } from "@kaya/core";
import type { BlobInfo, BlobOptions, BlobRange, BlobStore } from "../../blob-store.js";
import type { ClusterClock } from "../../clock.js";
import { unlessAborted } from "../../within.js";
import type { SimFault } from "../sim-faults.js";
import { limitOf, never, travel } from "../sim-travel.js";

/** The kind of a call of the blob store. */
export type StoreCallKind =
  | "store.put"
  | "store.get"
  | "store.stream"
  | "store.head"
  | "store.list"
  | "store.delete";

/** A fault of one call. `damaged`: a read returns other bytes than the object has. The object is unchanged. */
export type StoreFault = SimFault | { readonly kind: "damaged" };

/** The connection of one process to the blob store. */
export interface StoreClientOptions {
  /** The store. It has no faults. */
  readonly store: BlobStore;
  /** The time of the world. A request that was sent arrives even if its process is stopped or dead. */
  readonly clock: ClusterClock;
  /** The time of the process. A stopped or dead process sends nothing, and gets no answer. */
  readonly process: ClusterClock;
  /** The duration of each request, and of each reply, in milliseconds. */
  readonly latencyMs: number;
  /** Chooses the fault of each call. */
  readonly faultOf: (kind: StoreCallKind) => StoreFault | undefined;
  /** Called right before an object is removed. */
  readonly removing: (name: string) => Promise<void>;
}

const TIMEOUT_MS = 1_000;

type Perform<T> = (isDamaged: boolean) => Promise<T>;

/** The blob store as one process sees it: calls take time, fail, or get no answer although they are done. */
export class StoreClient implements BlobStore {
  readonly name: string;
  readonly #options: StoreClientOptions;

  constructor(options: StoreClientOptions) {
    this.name = options.store.name;
    this.#options = options;
  }

  async put(
    name: string,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    options?: BlobOptions,
  ): Promise<void> {
    // A copy, as on a network: if the caller changes its bytes or removes its files later, the request stays the same.
    const sent = content instanceof Uint8Array ? content.slice() : await joined(content);
    await this.#call("store.put", options, () => this.#options.store.put(name, sent));
  }

  get(name: string, options?: BlobRange): Promise<Uint8Array> {
    return this.#read("store.get", name, options);
  }

  async *stream(name: string, options?: BlobRange): AsyncGenerator<Uint8Array, void> {
    // In two calls: a connection can break between the pieces of an object.
    const { offset = 0, signal } = options ?? {};
    const size = (await this.#options.store.head(name))?.size ?? 0;
    const end = Math.min(size, offset + (options?.length ?? size));
    const middle = Math.ceil((offset + end) / 2);
    const pass = { ...(signal && { signal }) };
    yield await this.#read("store.stream", name, { offset, length: middle - offset, ...pass });
    if (end > middle)
      yield await this.#read("store.stream", name, { offset: middle, length: end - middle, ...pass });
  }

  head(name: string, options?: BlobOptions): Promise<BlobInfo | undefined> {
    return this.#call("store.head", options, () => this.#options.store.head(name));
  }

  async *list(prefix: string, options?: BlobOptions): AsyncGenerator<BlobInfo, void> {
    yield* await this.#call("store.list", options, async () => {
      const found: BlobInfo[] = [];
      for await (const each of this.#options.store.list(prefix)) found.push(each);
      return found;
    });
  }

  delete(name: string, options?: BlobOptions): Promise<void> {
    const { store, removing } = this.#options;
    return this.#call("store.delete", options, async () => {
      await removing(name);
      await store.delete(name);
    });
  }

  #read(kind: StoreCallKind, name: string, options: BlobRange = {}): Promise<Uint8Array> {
    const { signal: _, ...range } = options;
    return this.#call(kind, options, async (isDamaged) => {
      const bytes = await this.#options.store.get(name, range);
      return isDamaged ? damaged(bytes) : bytes;
    });
  }

  async #call<T>(kind: StoreCallKind, options: BlobOptions | undefined, perform: Perform<T>): Promise<T> {
    const { process, faultOf } = this.#options;
    const signal = options?.signal;
    const fault = faultOf(kind);
    await process.sleep(0, signal);
    throwIfAborted(signal);
    const exchanged = this.#exchange(kind, fault, perform);
    const answer = await settled(signal === undefined ? exchanged : unlessAborted(exchanged, signal));
    await process.sleep(0, signal);
    return answer();
  }

  async #exchange<T>(kind: StoreCallKind, fault: StoreFault | undefined, perform: Perform<T>): Promise<T> {
    const { clock, store } = this.#options;
    if (fault?.kind === "noMajority" || fault?.kind === "refused")
      throw new KayaError("KAYA_IO", `${store.name}: ${kind}: the store cannot be reached. Nothing was done`);
    if (fault?.kind === "diskFull")
      throw new KayaError("KAYA_DISK_FULL", `${store.name}: ${kind}: no space is left. Nothing was done`);
    const limit = new AbortController();
    const silence = clock
      .sleep(limitOf(fault?.kind === "damaged" ? undefined : fault, TIMEOUT_MS), limit.signal)
      .then(() => {
        throw new KayaError("KAYA_IO", `${store.name}: ${kind}: no answer came. It may have been done`);
      });
    try {
      return await Promise.race([this.#deliver(fault, perform), silence]);
    } finally {
      limit.abort();
    }
  }

  async #deliver<T>(fault: StoreFault | undefined, perform: Perform<T>): Promise<T> {
    const { clock, latencyMs } = this.#options;
    if (fault?.kind === "requestLost") return never();
    await travel(clock, latencyMs, fault?.kind === "delay" ? fault.request : undefined);
    const answer = await settled(perform(fault?.kind === "damaged"));
    if (fault?.kind === "replyLost") return never();
    await travel(clock, latencyMs, fault?.kind === "delay" ? fault.reply : undefined);
    return answer();
  }
}

/** Flips one bit in the middle. */
function damaged(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const at = copy.length >> 1;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

async function joined(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

/** Waits for the outcome. The function that it returns returns or throws that outcome. */
async function settled<T>(work: Promise<T>): Promise<() => T> {
  try {
    const value = await work;
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
