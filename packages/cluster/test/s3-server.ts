import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { crc32 } from "node:zlib";

// Without it the SDK warns on Node.js 20 that it needs a newer one from 2027 on. The announcement of the SDK names this variable.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

/** An in-memory server on this machine with the protocol of S3. */
export interface S3Server {
  /** The options with which `s3BlobStore` reaches its bucket. */
  readonly options: {
    readonly bucket: string;
    readonly endpoint: string;
    readonly region: string;
    readonly forcePathStyle: true;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  /** The content of each object, by key. */
  readonly objects: Map<string, Buffer>;
  /** Uploads in parts that were neither completed nor aborted. */
  readonly uploads: Map<string, Map<number, Buffer>>;
  /** The method and the address of each request so far. */
  readonly requests: string[];
  /** Chooses the fault of a request; undefined: it is answered normally. */
  fault: ((method: string, url: URL) => S3Fault | undefined) | undefined;
  close(): Promise<void>;
}

/**
 * `lost`: the request is done, and the answer is lost. `refused`: nothing is done, and the answer is 503. `broken`: the body of the answer
 * breaks off.
 */
export type S3Fault = "lost" | "refused" | "broken";

const LEAST_PART = 5 * 1024 * 1024;
const PAGE = 1000;

interface Answer {
  readonly status: number;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
}

/**
 * Starts a strict server for the parts of S3 that the store uses: keys in bytewise order, pages of 1,000, ranges, `If-Match`, parts of at
 * least 5 MiB, ETags at the end of an upload, and the SHA-256 and CRC-32 that the SDK sends. The package `s3rver` of npm is not strict
 * enough: it lists in another order, fails for more than 1,000 keys, and checks neither parts nor checksums. This server does not verify
 * signatures (only that there is one). It does not know versions, conditional puts, checksums after a body (`STREAMING-…-TRAILER`, which
 * the SDK does not send for bytes in memory), and lifecycle rules.
 */
export async function startS3Server(): Promise<S3Server> {
  const bucket = "kaya-test";
  const state = {
    objects: new Map<string, Buffer>(),
    uploads: new Map<string, Map<number, Buffer>>(),
    requests: [] as string[],
    fault: undefined as S3Server["fault"],
  };
  const server = createServer((request, response) => {
    void handle(state, bucket, request, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, {
    options: {
      bucket,
      endpoint: `http://127.0.0.1:${port}`,
      region: "us-east-1",
      forcePathStyle: true as const,
      credentials: { accessKeyId: "test-key", secretAccessKey: "test-secret" },
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

type State = Pick<S3Server, "objects" | "uploads" | "requests" | "fault">;

async function handle(
  state: State,
  bucket: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "", "http://s3");
  const method = request.method ?? "";
  state.requests.push(`${method} ${request.url}`);
  const body = await bodyOf(request);
  const fault = state.fault?.(method, url);
  if (fault === "refused") return send(response, refusal(503, "SlowDown"));
  const answer = checked(bucket, request, url, body) ?? answerOf(state, request, url, body);
  if (fault === "lost") return void request.socket.destroy();
  if (fault === "broken") {
    const bytes = Buffer.from(answer.body ?? "");
    response.writeHead(answer.status, { ...answer.headers, "content-length": String(bytes.length) });
    response.write(bytes.subarray(0, Math.floor(bytes.length / 2)));
    setImmediate(() => request.socket.destroy());
    return;
  }
  send(response, answer, method);
}

function send(response: ServerResponse, { status, body = "", headers }: Answer, method = ""): void {
  const length = method === "HEAD" ? headers?.["content-length"] : String(Buffer.byteLength(body));
  response.writeHead(status, { ...headers, "content-length": length ?? "0" });
  response.end(method === "HEAD" ? undefined : body);
}

/** The refusal of a request that is invalid by itself, before its content is used. */
function checked(bucket: string, request: IncomingMessage, url: URL, body: Buffer): Answer | undefined {
  if (url.pathname.split("/")[1] !== bucket) return refusal(404, "NoSuchBucket");
  const { authorization = "", ...headers } = request.headers;
  if (!authorization.includes("Credential=test-key/")) return refusal(403, "AccessDenied");
  const sha256 = headers["x-amz-content-sha256"];
  if (typeof sha256 === "string" && sha256.startsWith("STREAMING")) return refusal(501, "NotImplemented");
  if (sha256 !== "UNSIGNED-PAYLOAD" && sha256 !== createHash("sha256").update(body).digest("hex"))
    return refusal(400, "XAmzContentSHA256Mismatch");
  const crc = headers["x-amz-checksum-crc32"];
  if (crc !== undefined && crc !== base64Crc(body)) return refusal(400, "BadDigest");
  return undefined;
}

function answerOf(state: State, request: IncomingMessage, url: URL, body: Buffer): Answer {
  const key = decodeURIComponent(url.pathname.split("/").slice(2).join("/"));
  const { searchParams } = url;
  switch (request.method) {
    case "PUT":
      if (searchParams.has("partNumber")) return putPart(state, searchParams, body);
      state.objects.set(key, body);
      return { status: 200, headers: { etag: etagOf(body) } };
    case "POST":
      if (searchParams.has("uploads")) return beginUpload(state, key);
      return endUpload(state, key, searchParams, body.toString());
    case "GET":
      return key === "" ? list(state, searchParams) : get(state, key, request);
    case "HEAD":
      return head(state, key);
    case "DELETE":
      if (searchParams.has("uploadId")) state.uploads.delete(searchParams.get("uploadId") as string);
      else state.objects.delete(key);
      return { status: 204 };
    default:
      return refusal(405, "MethodNotAllowed");
  }
}

function putPart({ uploads }: State, params: URLSearchParams, body: Buffer): Answer {
  const parts = uploads.get(params.get("uploadId") as string);
  if (parts === undefined) return refusal(404, "NoSuchUpload");
  parts.set(Number(params.get("partNumber")), body);
  return { status: 200, headers: { etag: etagOf(body), "x-amz-checksum-crc32": base64Crc(body) } };
}

function beginUpload({ uploads }: State, key: string): Answer {
  const id = `upload-${uploads.size}-${Math.random().toString(36).slice(2)}`;
  uploads.set(id, new Map());
  return xml(
    `<InitiateMultipartUploadResult><Key>${key}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
  );
}

function endUpload({ uploads, objects }: State, key: string, params: URLSearchParams, body: string): Answer {
  const id = params.get("uploadId") as string;
  const parts = uploads.get(id);
  if (parts === undefined) return refusal(404, "NoSuchUpload");
  const named = [...body.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = ""]) => ({
    number: Number(/<PartNumber>(\d+)/.exec(part)?.[1]),
    etag: /<ETag>(.*?)<\/ETag>/.exec(part)?.[1]?.replaceAll("&quot;", '"'),
  }));
  const bytes = named.map(({ number }) => parts.get(number) ?? Buffer.alloc(0));
  for (const [index, { etag }] of named.entries()) {
    if (etag !== etagOf(bytes[index] as Buffer)) return refusal(400, "InvalidPart");
    if (index < named.length - 1 && (bytes[index] as Buffer).length < LEAST_PART)
      return refusal(400, "EntityTooSmall");
  }
  uploads.delete(id);
  objects.set(key, Buffer.concat(bytes));
  return xml(`<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`);
}

function get({ objects }: State, key: string, request: IncomingMessage): Answer {
  const bytes = objects.get(key);
  if (bytes === undefined) return refusal(404, "NoSuchKey");
  const { range, "if-match": ifMatch } = request.headers;
  if (ifMatch !== undefined && ifMatch !== etagOf(bytes)) return refusal(412, "PreconditionFailed");
  const headers = { etag: etagOf(bytes) };
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  if (from === undefined) return { status: 200, body: bytes, headers };
  if (Number(from) >= bytes.length) return refusal(416, "InvalidRange");
  const last = Math.min(Number(to), bytes.length - 1);
  return {
    status: 206,
    body: bytes.subarray(Number(from), last + 1),
    headers: { ...headers, "content-range": `bytes ${from}-${last}/${bytes.length}` },
  };
}

function head({ objects }: State, key: string): Answer {
  const bytes = objects.get(key);
  if (bytes === undefined) return { status: 404 };
  return { status: 200, headers: { "content-length": String(bytes.length), etag: etagOf(bytes) } };
}

function list({ objects }: State, params: URLSearchParams): Answer {
  const prefix = params.get("prefix") ?? "";
  const after = params.get("continuation-token") ?? "";
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  const page = keys.slice(0, PAGE);
  const isTruncated = keys.length > PAGE;
  const contents = page.map(
    (key) => `<Contents><Key>${key}</Key><Size>${objects.get(key)?.length}</Size></Contents>`,
  );
  const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
  return xml(
    `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${next}${contents.join("")}</ListBucketResult>`,
  );
}

function xml(text: string): Answer {
  return {
    status: 200,
    body: `<?xml version="1.0"?>${text}`,
    headers: { "content-type": "application/xml" },
  };
}

function refusal(status: number, code: string): Answer {
  return { ...xml(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`), status };
}

function etagOf(bytes: Buffer): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`;
}

function base64Crc(bytes: Buffer): string {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(crc32(bytes));
  return buffer.toString("base64");
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
