import { status } from "@grpc/grpc-js";
import { KayaError } from "@kaya/core";

/** The known outcome of a failed call. */
export type Outcome =
  /** The call was not sent. Another member may be asked, also for a write. */
  | "unsent"
  /** etcd refused the call before it did anything. It would refuse it again. */
  | "refused"
  /** The token is too old, and the call did nothing. Sign in again, and repeat it. */
  | "unauthenticated"
  /** etcd has no room. The call **may have been done**: etcd applies the first transaction beyond its quota, and answers it with this error. */
  | "noSpace"
  /** A busy member refused the call before it did anything. */
  | "busy"
  /** The call needs history that was compacted. It did nothing. */
  | "compacted"
  /** The lease expired. The call did nothing. */
  | "leaseNotFound"
  /** Nothing is known: the call may have been done, or may be done later. */
  | "unknown";

/** A failed call, with its outcome. */
export class EtcdError extends Error {
  override readonly name = "EtcdError";
  readonly outcome: Outcome;
  /** The address of the member, as `host:port`. */
  readonly address: string;
  /** The message without the address. */
  readonly details: string;

  constructor(outcome: Outcome, address: string, details: string, options?: { cause?: unknown }) {
    super(`${address}: ${details}`, options);
    this.outcome = outcome;
    this.address = address;
    this.details = details;
  }

  /** The same failure of a call that is known not to have been sent. */
  unsent(): EtcdError {
    return new EtcdError("unsent", this.address, this.details, { cause: this });
  }
}

// The known answers, by code and text, from etcd's `rpctypes`. The outcome of all others is `unknown`.
const ANSWERS: readonly (readonly [code: status, text: RegExp, outcome: Outcome])[] = [
  [status.UNAUTHENTICATED, /invalid auth token/, "unauthenticated"],
  [status.INVALID_ARGUMENT, /revision of auth store is old/, "unauthenticated"],
  [status.INVALID_ARGUMENT, /user name is empty/, "unauthenticated"],
  [status.RESOURCE_EXHAUSTED, /database space exceeded/, "noSpace"],
  [status.RESOURCE_EXHAUSTED, /too many requests/, "busy"],
  [status.OUT_OF_RANGE, /has been compacted/, "compacted"],
  [status.NOT_FOUND, /requested lease not found/, "leaseNotFound"],
  [status.UNAVAILABLE, /No connection established/, "unsent"],
  [status.INVALID_ARGUMENT, /^etcdserver: /, "refused"],
  [status.FAILED_PRECONDITION, /^etcdserver: /, "refused"],
  [status.PERMISSION_DENIED, /^etcdserver: /, "refused"],
  [status.DATA_LOSS, /corrupt cluster/, "refused"],
  [status.UNIMPLEMENTED, /./, "refused"],
];

/** Makes an `EtcdError` with the right outcome of a gRPC error. */
export function etcdErrorOf(error: unknown, address: string): EtcdError {
  if (error instanceof EtcdError) return error;
  const { code, details } = error as { code?: unknown; details?: unknown };
  const text = typeof details === "string" ? details : String(error);
  const found = ANSWERS.find(([known, pattern]) => known === code && pattern.test(text));
  return new EtcdError(found?.[2] ?? "unknown", address, text, { cause: error });
}

// Messages of Node.js and OpenSSL for a failed handshake. The server has not seen a request at that time.
const HANDSHAKE =
  /certificate|self[- ]signed|CERT_|SSL routines|alert|wrong version number|Hostname\/IP does not match|unable to (verify|get)/i;

const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    HANDSHAKE,
    "Check tls.ca, tls.cert and tls.key, and that the endpoints are https:// exactly if etcd's are",
  ],
  [/authentication failed/, "Check username and password"],
  [/user name is empty|invalid auth token/, "etcd requires a user: give username and password"],
  [/authentication is not enabled/, "Leave username and password out, or enable authentication in etcd"],
  [/permission denied/, "Grant the user's role read and write permission for the prefix"],
  [/request is too large/, "Start etcd with --max-request-bytes of at least 1572864, which is its default"],
  [
    /corrupt cluster/,
    "The data of etcd's members differs (alarm CORRUPT): repair etcd before you write anything",
  ],
];

/** True if this side or the other side refused the TLS connection. */
export function isHandshakeFailure(text: string): boolean {
  return HANDSHAKE.test(text);
}

/** The error of a call that was refused for certain, with what to do. */
export function refusal(log: string, doing: string, error: EtcdError): KayaError {
  const remedy = REMEDIES.find(([pattern]) => pattern.test(error.message))?.[1];
  const code = /corrupt cluster/.test(error.message) ? "KAYA_CORRUPTION" : "KAYA_IO";
  const message = `${log}: ${doing} was refused: ${error.message}. Nothing was done${remedy === undefined ? "" : `. ${remedy}`}`;
  return new KayaError(code, message, { cause: error });
}

/** The error for an etcd without room. */
export function diskFull(log: string, doing: string, cause: unknown): KayaError {
  return new KayaError(
    "KAYA_DISK_FULL",
    `${log}: ${doing} did nothing: etcd's database has reached its quota (alarm NOSPACE). Compact and defragment each member, or raise --quota-backend-bytes, then run: etcdctl alarm disarm`,
    { cause },
  );
}

/** The error if no member could be reached, or none answered a read in time. */
export function noMajority(log: string, doing: string, cause: unknown): KayaError {
  return new KayaError("KAYA_NO_MAJORITY", `${log}: ${doing}: ${reason(cause)}. Nothing was done`, { cause });
}

/** The error of a write that got no answer. */
export function inDoubt(log: string, doing: string, cause: unknown): KayaError {
  return new KayaError(
    "KAYA_IN_DOUBT",
    `${log}: ${doing}: ${reason(cause)}. It may have been done, or may be done later: read the head`,
    { cause },
  );
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : "no member of etcd answered in time";
}
