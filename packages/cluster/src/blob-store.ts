/** One object of a blob store. */
export interface BlobInfo {
  /** Parts separated by `/`. A part consists of letters, digits, `.`, `_`, `=` and `-`. */
  readonly name: string;
  /** Its size in bytes. */
  readonly size: number;
}

/**
 * Named objects that are written once and read whole or in part: a directory, or a bucket. Kaya never replaces an object by one with other
 * bytes. The order of two calls only matters if one was awaited before the other began.
 */
export interface BlobStore {
  /** The store in error messages, without secrets. */
  readonly name: string;
  /** Stores an object, all or nothing. Resolves when it is durable. The same bytes under the same name may be stored again. */
  put(name: string, content: Uint8Array | AsyncIterable<Uint8Array>, options?: BlobOptions): Promise<void>;
  /** The bytes of an object, or of a part of it. @throws KayaError KAYA_NOT_FOUND */
  get(name: string, options?: BlobRange): Promise<Uint8Array>;
  /** The bytes of an object, or of a part of it, in pieces. For objects that are too large for memory. @throws KayaError KAYA_NOT_FOUND */
  stream(name: string, options?: BlobRange): AsyncIterable<Uint8Array>;
  /** Undefined if there is no such object. */
  head(name: string, options?: BlobOptions): Promise<BlobInfo | undefined>;
  /** Objects whose names begin with `prefix`, in the order of their names. */
  list(prefix: string, options?: BlobOptions): AsyncIterable<BlobInfo>;
  /** Removes an object. It does nothing if the object is absent. */
  delete(name: string, options?: BlobOptions): Promise<void>;
  /** Releases connections and open directories. A store that holds neither does not need this method. */
  close?(): Promise<void>;
}

/** Options of a call that can be aborted. */
export interface BlobOptions {
  /** Aborts the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A range of an object's bytes. */
export interface BlobRange extends BlobOptions {
  /** The first byte; default 0. */
  readonly offset?: number;
  /** The largest number of bytes; default: all from `offset` on. */
  readonly length?: number;
}
