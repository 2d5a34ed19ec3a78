// The HTTP interface between the studio's server and its page. No imports: the page is compiled without Node's types.
//
// Each request needs the cookie. The server refuses a parameter that it does not know, and one that is given twice. Keys of Kaya's own (indexes)
// are left out of every answer unless the request says `internal=1`; they are never written.

/** Bytes of a key, prefix or value: base64url without padding. The empty string is the empty key, not an absent one. */
export type Base64Url = string;

/** Relative to the address of the page, which begins with a random path. */
export const API = {
  store: "api/store",
  tree: "api/tree",
  rows: "api/rows",
  value: "api/value",
  events: "api/events",
  export: "api/export",
} as const;

/** `GET api/store`: fetched when the page opens, and after a lost connection. */
export interface StoreInfo {
  /** The absolute path of the data directory. */
  readonly dataDir: string;
  /** `writer`: this process has the directory open and `--write` was given. `reader`: it only reads, beside another process or alone. */
  readonly mode: "reader" | "writer";
  /** The process that has the directory open, where there is one and its number is known. */
  readonly writerPid?: number;
  readonly version: string;
  /** The doubts of recovery when the directory was opened: one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * `GET api/tree?prefix=&delimiter=&after=&limit=`: one level of the tree of keys below a prefix. Keys are grouped up to and with the next
 * delimiter, which is one byte in base64url as all bytes are (`Og` is `:`, `Lw` is `/`); without a delimiter there are no groups. Found by seeks:
 * a group of a million keys costs as much as one of two. `limit` 1 to 1000, 200 without one.
 */
export interface TreeLevel {
  readonly nodes: readonly TreeNode[];
  /** Give it as `after` for the next nodes; absent at the end. */
  readonly next?: Base64Url;
}

export type TreeNode =
  | { readonly kind: "group"; readonly prefix: Base64Url }
  | { readonly kind: "key"; readonly key: Base64Url };

/**
 * `GET api/rows?prefix=&gt=&gte=&lt=&lte=&reverse=1&limit=&cursor=`: a page of keys in order, with the beginning of each value.
 * All bounds hold at once. `limit` 1 to 1000, 100 without one; where values are large a page has fewer rows, and still a `next`.
 */
export interface RowPage {
  readonly rows: readonly Row[];
  /** Give it as `cursor` for the next page, with the same other parameters; absent at the end. */
  readonly next?: string;
}

export interface Row {
  readonly key: Base64Url;
  /** Bytes of the whole value. */
  readonly length: number;
  /** Its first 256 bytes, or all of it. */
  readonly head: Base64Url;
  /** Milliseconds since 1970. */
  readonly expiresAt?: number;
}

/**
 * `GET api/value?key=&offset=&length=`: bytes of one value as `application/octet-stream`, 404 with a `Problem` where the key has none.
 * Headers: `ETag` (what a write can be held to), `Kaya-Length` (of the whole value), `Kaya-Expires-At` where it expires.
 * `&download=1` adds `Content-Disposition: attachment`.
 *
 * `PUT api/value?key=` with the new bytes as the body, and `DELETE api/value?key=`: only in mode `writer`. Both need `If-Match: ETAG`;
 * a PUT of a new key has `If-None-Match: *`. `&expiresAt=` gives an expiry in milliseconds since 1970, or `never`; without it the value that is
 * replaced keeps its own.
 * 412 with code KAYA_CONFLICT where the key changed since. 200 with `Written`.
 */
export interface Written {
  /** Of the value as it is now; absent after a delete. */
  readonly etag?: string;
  readonly lsn: number;
}

/** `GET api/events?prefix=`: server-sent events. `event: look` once a second, `event: change` as the writer appends. */
export interface Events {
  readonly look: Look;
  readonly change: Change;
  /** Changes came faster than the page took them: so many were left out. */
  readonly skipped: { readonly changes: number };
  /** The store cannot be followed any more, and why. The stream ends. */
  readonly problem: Problem;
}

/** The store at one moment. */
export interface Look {
  readonly at: number;
  /** An estimate. */
  readonly entries: number;
  readonly lastLsn: number;
  readonly log: {
    readonly segments: number;
    readonly bytes: number;
    /** The last record that is in tables. */
    readonly coveredLsn: number;
    readonly recordsPerSecond?: number;
    readonly bytesPerSecond?: number;
  };
  /** From level 0 on. */
  readonly levels: readonly { readonly tables: number; readonly bytes: number; readonly entries: number }[];
  /** What only the process that has the store open knows: of this process in mode `writer`, else of its reads alone. */
  readonly memtable: { readonly bytes: number; readonly limitBytes: number; readonly entries: number };
  readonly cache: {
    readonly bytes: number;
    readonly capacityBytes: number;
    readonly hits: number;
    readonly misses: number;
  };
  /** Milliseconds, since the store was opened. `fsync` and `write` only in mode `writer`. */
  readonly latency: {
    readonly get?: Latency;
    readonly fsync?: Latency;
    readonly write?: Latency;
  };
  readonly flush: { readonly isRunning: boolean; readonly finished: number };
  readonly compaction: { readonly isRunning: boolean; readonly finished: number };
}

export interface Latency {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Change {
  readonly lsn: number;
  readonly at: number;
  readonly kind: "put" | "delete" | "deleteRange";
  readonly key: Base64Url;
  /** Of a range: the end, which is not in it. */
  readonly end?: Base64Url;
  /** Of a put: the length of its value, and its first 256 bytes. */
  readonly length?: number;
  readonly head?: Base64Url;
  /** Of a put that expires: milliseconds since 1970. */
  readonly expiresAt?: number;
}

/** `GET api/export?prefix=&gt=…&format=jsonl`: what `rows` shows, whole, as a download in the format of `kayactl export`. */
export type Export = never;

/** The JSON body of every answer but 2xx. */
export interface Problem {
  /** A code of `KayaError`, or BAD_REQUEST, FORBIDDEN, NOT_FOUND. */
  readonly code: string;
  readonly message: string;
}
