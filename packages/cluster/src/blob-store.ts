/** One object of a blob store. */
export interface BlobInfo {
  /** Parts of letters, digits, `.`, `_`, `=` and `-`, with `/` between them. */
  readonly name: string;
  /** Its size in bytes. */
  readonly size: number;
}

/**
 * Named objects that are written once and read whole or in part: a directory, or a bucket. It is never asked to replace an object by another one,
 * and no order of two calls matters unless one was awaited before the other began.
 */
export interface BlobStore {
  /** For messages: which store this is, without secrets. */
  readonly name: string;
  /** Stores an object, all or nothing. Resolves when it is durable. The same bytes under the same name may be stored again. */
  put(name: string, content: Uint8Array | AsyncIterable<Uint8Array>, options?: BlobOptions): Promise<void>;
  /** The bytes of an object, or of a part of it. @throws KayaError KAYA_NOT_FOUND */
  get(name: string, options?: BlobRange): Promise<Uint8Array>;
  /** The bytes of an object, or of a part of it, in pieces: for objects too large for memory. @throws KayaError KAYA_NOT_FOUND */
  stream(name: string, options?: BlobRange): AsyncIterable<Uint8Array>;
  /** Undefined if there is no such object. */
  head(name: string, options?: BlobOptions): Promise<BlobInfo | undefined>;
  /** Objects whose names begin with `prefix`, in the order of their names. */
  list(prefix: string, options?: BlobOptions): AsyncIterable<BlobInfo>;
  /** Removes an object; nothing happens if it is absent. */
  delete(name: string, options?: BlobOptions): Promise<void>;
  /** Lets go of connections and directories that are held open. A store that holds nothing has none. */
  close?(): Promise<void>;
}

/** A call that may be given up. */
export interface BlobOptions {
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Which bytes of an object. */
export interface BlobRange extends BlobOptions {
  /** The first byte; default 0. */
  readonly offset?: number;
  /** How many at most; default: all behind `offset`. */
  readonly length?: number;
}
