import { status } from "@grpc/grpc-js";
import { KayaError } from "@kaya/core";

/** The known outcome of a failed call. */
export type Outcome =
  /** It was not sent: another member may be asked, also to write. */
  | "unsent"
  /** etcd refused it before it did anything, and will again. */
  | "refused"
  /** The token is old: sign in again, and repeat. It did nothing. */
  | "unauthenticated"
  /** There is no room. It **may have been done**: the first transaction beyond the quota is applied and answered with this error. */
  | "noSpace"
  /** A busy member refused it before it did anything. */
  | "busy"
  /** History that it needs was compacted. It did nothing. */
  | "compacted"
  /** The lease ran out. It did nothing. */
  | "leaseNotFound"
  /** Nothing is known: it may have been done, or be done later. */
  | "unknown";

/** A failed call, with its outcome. */
export class EtcdError extends Error {
  override readonly name = "EtcdError";
  readonly outcome: Outcome;
  /** The member, as `host:port`. */
  readonly address: string;
  /** The message without the member. */
  readonly details: string;

  constructor(outcome: Outcome, address: string, details: string, options?: { cause?: unknown }) {
    super(`${address}: ${details}`, options);
    this.outcome = outcome;
    this.address = address;
    this.details = details;
  }

  /** The same call, of which it is known that nothing was sent. */
  unsent(): EtcdError {
    return new EtcdError("unsent", this.address, this.details, { cause: this });
  }
}

// By code and text, as in etcd's `rpctypes`. All others are `unknown`.
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

/** Maps an error of gRPC to its outcome. */
export function etcdErrorOf(error: unknown, address: string): EtcdError {
  if (error instanceof EtcdError) return error;
  const { code, details } = error as { code?: unknown; details?: unknown };
  const text = typeof details === "string" ? details : String(error);
  const found = ANSWERS.find(([known, pattern]) => known === code && pattern.test(text));
  return new EtcdError(found?.[2] ?? "unknown", address, text, { cause: error });
}

// Messages of Node.js and OpenSSL for a failed handshake. The server has seen no request then.
const HANDSHAKE =
  /certificate|self[- ]signed|CERT_|SSL routines|alert|wrong version number|Hostname\/IP does not match|unable to (verify|get)/i;

const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    HANDSHAKE,
    "Check tls.ca, tls.cert and tls.key, and that the endpoints are https:// exactly if etcd's are",
  ],
  [/authentication failed/, "Check username and password"],
  [/user name is empty|invalid auth token/, "etcd asks for a user: give username and password"],
  [/authentication is not enabled/, "Leave username and password out, or enable authentication in etcd"],
  [/permission denied/, "Grant the user's role read and write permission for the prefix"],
  [/request is too large/, "Start etcd with --max-request-bytes of at least 1572864, which is its default"],
  [/corrupt cluster/, "Members of etcd differ (alarm CORRUPT): repair etcd before anything is written"],
];

/** True if the other side, or this one, refused to speak TLS. */
export function isHandshakeFailure(text: string): boolean {
  return HANDSHAKE.test(text);
}

/** A definite refusal, with what to do. */
export function refusal(log: string, doing: string, error: EtcdError): KayaError {
  const remedy = REMEDIES.find(([pattern]) => pattern.test(error.message))?.[1];
  const code = /corrupt cluster/.test(error.message) ? "KAYA_CORRUPTION" : "KAYA_IO";
  const message = `${log}: ${doing} was refused: ${error.message}. Nothing was done${remedy === undefined ? "" : `. ${remedy}`}`;
  return new KayaError(code, message, { cause: error });
}

/** No room is left in etcd. */
export function diskFull(log: string, doing: string, cause: unknown): KayaError {
  return new KayaError(
    "KAYA_DISK_FULL",
    `${log}: ${doing} did nothing: etcd's database has reached its quota (alarm NOSPACE). Compact and defragment each member, or raise --quota-backend-bytes, then run: etcdctl alarm disarm`,
    { cause },
  );
}

/** No member could be asked, or none answered a question in time. */
export function noMajority(log: string, doing: string, cause: unknown): KayaError {
  return new KayaError("KAYA_NO_MAJORITY", `${log}: ${doing}: ${reason(cause)}. Nothing was done`, { cause });
}

/** A write got no answer. */
export function inDoubt(log: string, doing: string, cause: unknown): KayaError {
  return new KayaError(
    "KAYA_IN_DOUBT",
    `${log}: ${doing}: ${reason(cause)}. It may have been done, or be done later: read the head`,
    { cause },
  );
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : "no member of etcd answered in time";
}
