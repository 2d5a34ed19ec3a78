import { fromJSON, type PackageDefinition } from "@grpc/proto-loader";
import { KayaError } from "@kaya/core";

type Fields = Record<
  string,
  readonly [type: string, id: number] | readonly [type: string, id: number, rule: "repeated"]
>;

/** A message of etcd's API in the form that protobufjs reads. */
function message(fields: Fields, oneofs?: Record<string, readonly string[]>) {
  const entries = Object.entries(fields).map(([name, [type, id, rule]]) => [
    name,
    rule === undefined ? { type, id } : { type, id, rule },
  ]);
  const groups = Object.entries(oneofs ?? {}).map(([name, oneof]) => [name, { oneof }]);
  return {
    fields: Object.fromEntries(entries),
    ...(groups.length > 0 && { oneofs: Object.fromEntries(groups) }),
  };
}

function method(requestType: string, responseType: string, isStream = false) {
  return { requestType, responseType, requestStream: isStream, responseStream: isStream };
}

const HEADER = { header: ["ResponseHeader", 1] } as const;

// The parts of etcd's `rpc.proto`, `kv.proto` and `auth.proto` that Kaya uses. Field numbers never change. Unknown fields are skipped.
const MESSAGES = {
  ResponseHeader: message({
    clusterId: ["uint64", 1],
    memberId: ["uint64", 2],
    revision: ["int64", 3],
    raftTerm: ["uint64", 4],
  }),
  KeyValue: message({
    key: ["bytes", 1],
    createRevision: ["int64", 2],
    modRevision: ["int64", 3],
    version: ["int64", 4],
    value: ["bytes", 5],
    lease: ["int64", 6],
  }),
  RangeRequest: message({
    key: ["bytes", 1],
    rangeEnd: ["bytes", 2],
    limit: ["int64", 3],
    revision: ["int64", 4],
    sortOrder: ["int32", 5],
    sortTarget: ["int32", 6],
    keysOnly: ["bool", 8],
    countOnly: ["bool", 9],
  }),
  RangeResponse: message({
    ...HEADER,
    kvs: ["KeyValue", 2, "repeated"],
    more: ["bool", 3],
    count: ["int64", 4],
  }),
  PutRequest: message({ key: ["bytes", 1], value: ["bytes", 2], lease: ["int64", 3] }),
  PutResponse: message({ ...HEADER }),
  DeleteRangeRequest: message({ key: ["bytes", 1], rangeEnd: ["bytes", 2] }),
  DeleteRangeResponse: message({ ...HEADER, deleted: ["int64", 2] }),
  RequestOp: message(
    {
      requestRange: ["RangeRequest", 1],
      requestPut: ["PutRequest", 2],
      requestDeleteRange: ["DeleteRangeRequest", 3],
      requestTxn: ["TxnRequest", 4],
    },
    { request: ["requestRange", "requestPut", "requestDeleteRange", "requestTxn"] },
  ),
  ResponseOp: message(
    {
      responseRange: ["RangeResponse", 1],
      responsePut: ["PutResponse", 2],
      responseDeleteRange: ["DeleteRangeResponse", 3],
      responseTxn: ["TxnResponse", 4],
    },
    { response: ["responseRange", "responsePut", "responseDeleteRange", "responseTxn"] },
  ),
  Compare: message(
    {
      result: ["int32", 1],
      target: ["int32", 2],
      key: ["bytes", 3],
      version: ["int64", 4],
      createRevision: ["int64", 5],
      modRevision: ["int64", 6],
      value: ["bytes", 7],
      lease: ["int64", 8],
      rangeEnd: ["bytes", 64],
    },
    { targetUnion: ["version", "createRevision", "modRevision", "value", "lease"] },
  ),
  TxnRequest: message({
    compare: ["Compare", 1, "repeated"],
    success: ["RequestOp", 2, "repeated"],
    failure: ["RequestOp", 3, "repeated"],
  }),
  TxnResponse: message({ ...HEADER, succeeded: ["bool", 2], responses: ["ResponseOp", 3, "repeated"] }),
  CompactionRequest: message({ revision: ["int64", 1], physical: ["bool", 2] }),
  CompactionResponse: message({ ...HEADER }),
  WatchCreateRequest: message({
    key: ["bytes", 1],
    rangeEnd: ["bytes", 2],
    startRevision: ["int64", 3],
    fragment: ["bool", 8],
  }),
  WatchRequest: message({ createRequest: ["WatchCreateRequest", 1] }),
  Event: message({ type: ["int32", 1], kv: ["KeyValue", 2] }),
  WatchResponse: message({
    ...HEADER,
    created: ["bool", 3],
    canceled: ["bool", 4],
    compactRevision: ["int64", 5],
    cancelReason: ["string", 6],
    fragment: ["bool", 7],
    events: ["Event", 11, "repeated"],
  }),
  LeaseGrantRequest: message({ TTL: ["int64", 1], ID: ["int64", 2] }),
  LeaseGrantResponse: message({ ...HEADER, ID: ["int64", 2], TTL: ["int64", 3] }),
  LeaseRevokeRequest: message({ ID: ["int64", 1] }),
  LeaseRevokeResponse: message({ ...HEADER }),
  LeaseKeepAliveRequest: message({ ID: ["int64", 1] }),
  LeaseKeepAliveResponse: message({ ...HEADER, ID: ["int64", 2], TTL: ["int64", 3] }),
  AuthenticateRequest: message({ name: ["string", 1], password: ["string", 2] }),
  AuthenticateResponse: message({ ...HEADER, token: ["string", 2] }),
  AlarmRequest: message({ action: ["int32", 1], memberID: ["uint64", 2], alarm: ["int32", 3] }),
  AlarmMember: message({ memberID: ["uint64", 1], alarm: ["int32", 2] }),
  AlarmResponse: message({ ...HEADER, alarms: ["AlarmMember", 2, "repeated"] }),
};

const SERVICES = {
  KV: {
    methods: {
      Txn: method("TxnRequest", "TxnResponse"),
      Compact: method("CompactionRequest", "CompactionResponse"),
    },
  },
  Watch: { methods: { Watch: method("WatchRequest", "WatchResponse", true) } },
  Lease: {
    methods: {
      LeaseGrant: method("LeaseGrantRequest", "LeaseGrantResponse"),
      LeaseRevoke: method("LeaseRevokeRequest", "LeaseRevokeResponse"),
      LeaseKeepAlive: method("LeaseKeepAliveRequest", "LeaseKeepAliveResponse", true),
    },
  },
  Auth: { methods: { Authenticate: method("AuthenticateRequest", "AuthenticateResponse") } },
  Maintenance: { methods: { Alarm: method("AlarmRequest", "AlarmResponse") } },
};

const PACKAGE = "etcdserverpb";
// Revisions, LSNs and lease ids have 64 bits. Revisions count up and stay below 2^53. Ids are random, so they are kept as strings.
const READING = { keepCase: true, longs: String, defaults: true, arrays: true, oneofs: false };

const DEFINITION: PackageDefinition = fromJSON(
  { nested: { [PACKAGE]: { nested: { ...MESSAGES, ...SERVICES } } } } as Parameters<typeof fromJSON>[0],
  READING,
);

/** A method of etcd: its path, and the encoding of its messages. */
export interface Rpc<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

function rpc<Request, Response>(service: keyof typeof SERVICES, name: string): Rpc<Request, Response> {
  const found = (DEFINITION[`${PACKAGE}.${service}`] as Record<string, unknown> | undefined)?.[name];
  if (found === undefined) throw new KayaError("KAYA_INTERNAL", `etcd's API has no ${service}.${name}`);
  return found as Rpc<Request, Response>;
}

/** A 64-bit integer. In etcd's answers it is a string. */
export type Int64 = string | number;

/** The beginning of each answer. */
export interface ResponseHeader {
  readonly revision: string;
}

/** A key with its value, as etcd stores it. */
export interface KeyValue {
  readonly key: Buffer;
  readonly modRevision: string;
  readonly value: Buffer;
  readonly lease: string;
}

/** Reads the keys from `key` up to `rangeEnd` (exclusive). */
export interface RangeRequest {
  readonly key: Buffer;
  readonly rangeEnd?: Buffer;
  readonly limit?: number;
  readonly keysOnly?: boolean;
}

/** The answer to a `RangeRequest`. */
export interface RangeResponse {
  readonly header: ResponseHeader;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
}

/** One step of a transaction. */
export type RequestOp =
  | { readonly requestRange: RangeRequest }
  | { readonly requestPut: { readonly key: Buffer; readonly value: Uint8Array; readonly lease?: Int64 } }
  | { readonly requestDeleteRange: { readonly key: Buffer; readonly rangeEnd?: Buffer } }
  | { readonly requestTxn: TxnRequest };

/** A comparison of a transaction. `result` 0 means "equal"; Kaya uses no other. */
export type Compare =
  | { readonly target: 2; readonly key: Buffer; readonly rangeEnd?: Buffer; readonly modRevision: Int64 }
  | { readonly target: 3; readonly key: Buffer; readonly value: Buffer }
  | { readonly target: 4; readonly key: Buffer; readonly lease: Int64 };

/** If all comparisons hold, etcd does the steps of `success`, else the steps of `failure`. */
export interface TxnRequest {
  readonly compare?: readonly Compare[];
  readonly success?: readonly RequestOp[];
  readonly failure?: readonly RequestOp[];
}

/** The answer to a `TxnRequest`. */
export interface TxnResponse {
  readonly header: ResponseHeader;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly responseRange?: RangeResponse | null }[];
}

/** Asks for the changes to a range of keys. */
export interface WatchRequest {
  readonly createRequest: {
    readonly key: Buffer;
    readonly rangeEnd: Buffer;
    readonly startRevision?: Int64;
    readonly fragment: boolean;
  };
}

/** Changes to keys, in order. */
export interface WatchResponse {
  readonly header: ResponseHeader | null;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: string;
  readonly cancelReason: string;
  readonly events: readonly { readonly type: number; readonly kv: KeyValue }[];
}

/** A lease, and its duration in seconds. */
export interface LeaseResponse {
  readonly ID: string;
  readonly TTL: string;
}

/** The methods of etcd's API that Kaya uses. */
export const RPC = {
  txn: rpc<TxnRequest, TxnResponse>("KV", "Txn"),
  compact: rpc<{ revision: Int64 }, unknown>("KV", "Compact"),
  watch: rpc<WatchRequest, WatchResponse>("Watch", "Watch"),
  leaseGrant: rpc<{ TTL: number }, LeaseResponse>("Lease", "LeaseGrant"),
  leaseRevoke: rpc<{ ID: Int64 }, unknown>("Lease", "LeaseRevoke"),
  leaseKeepAlive: rpc<{ ID: Int64 }, LeaseResponse>("Lease", "LeaseKeepAlive"),
  authenticate: rpc<{ name: string; password: string }, { token: string }>("Auth", "Authenticate"),
  alarm: rpc<object, { alarms: readonly { memberID: string; alarm: number }[] }>("Maintenance", "Alarm"),
};
