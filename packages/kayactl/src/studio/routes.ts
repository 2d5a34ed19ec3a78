import type { IncomingMessage, ServerResponse } from "node:http";
import { KayaError } from "@kaya/core";
import { send, sendJson } from "./answers.js";
import { API } from "./api.js";
import { EventStream } from "./event-stream.js";
import { EXPORT_PARAMETERS, readExportRequest, sendExport } from "./export.js";
import type { Target } from "./guard.js";
import type { Live } from "./live.js";
import { Parameters } from "./parameters.js";
import { badRequest, notFound, Refusal } from "./refusal.js";
import { ROW_PARAMETERS, readRowRequest, readRows } from "./rows.js";
import type { StudioStore } from "./store.js";
import { readTree, readTreeRequest, TREE_PARAMETERS } from "./tree.js";
import {
  isFound,
  noValue,
  readValueRequest,
  readWriteRequest,
  VALUE_PARAMETERS,
  valueAnswer,
  WRITE_PARAMETERS,
} from "./value.js";

const EVENT_PARAMETERS: readonly string[] = ["prefix", "internal"];
const MOST_STREAMS = 16;
/** A body that is too long is read and dropped up to here. */
const MOST_DROPPED_BYTES = 256 * 1024 * 1024;

/** The parts that answer requests. */
export interface Served {
  readonly store: StudioStore;
  readonly live: Live;
  readonly dataDir: string;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: Target;
}

/** @throws Refusal, KayaError */
type Handler = (served: Served, exchange: Exchange) => Promise<void>;

export type GateName = "reads" | "values" | "exports";

export interface Route {
  /** Resolves once the answer is made; of events, once they have ended. */
  readonly handle: Handler;
  /** Where it waits for its turn; undefined: it does not wait. */
  readonly gate?: GateName;
}

/** The route of an API request. @throws Refusal */
export function routeOf(path: string, method: Target["method"]): Route {
  const routes = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
  if (routes === undefined) throw notFound("there is no such address");
  const route = routes[method];
  if (route !== undefined) return route;
  const allow = Object.keys(routes).join(", ");
  throw new Refusal(405, "BAD_REQUEST", `${path} takes ${allow}`, { allow });
}

const getStore: Handler = async ({ store }, { response, target }) => {
  parametersOf(target, []);
  sendJson(response, await store.info());
};

const getTree: Handler = async ({ store }, { response, target }) => {
  const request = readTreeRequest(parametersOf(target, TREE_PARAMETERS));
  sendJson(response, await store.read((reading) => readTree(reading, request)));
};

const getRows: Handler = async ({ store }, { response, target }) => {
  const request = readRowRequest(parametersOf(target, ROW_PARAMETERS));
  sendJson(response, await store.read((reading) => readRows(reading, request)));
};

const getValue: Handler = async ({ store }, { response, target }) => {
  const request = readValueRequest(parametersOf(target, VALUE_PARAMETERS));
  const entry = await store.read((reading) => reading.getEntry(request.key));
  if (!isFound(entry)) throw noValue(request.key);
  const { bytes, headers } = valueAnswer(entry, request);
  send(response, 200, { type: "application/octet-stream", bytes }, headers);
};

const putValue: Handler = async ({ store }, { request, response, target }) => {
  store.assertWritable();
  const write = readWriteRequest(parametersOf(target, WRITE_PARAMETERS), request.headers);
  sendJson(response, await store.put(write, await readBody(request, store.maxValueBytes)));
};

const deleteValue: Handler = async ({ store }, { request, response, target }) => {
  store.assertWritable();
  const write = readWriteRequest(parametersOf(target, ["key"]), request.headers);
  if (write.sequence === undefined) throw badRequest("a DELETE needs If-Match with the ETag of the value");
  sendJson(response, await store.delete(write));
};

const getExport: Handler = async ({ store, dataDir }, { response, target }) => {
  const request = readExportRequest(parametersOf(target, EXPORT_PARAMETERS));
  await store.read((reading) => sendExport(response, reading, request, dataDir));
};

const getEvents: Handler = async ({ live }, { response, target }) => {
  const parameters = parametersOf(target, EVENT_PARAMETERS);
  const prefix = parameters.bytes("prefix") ?? Buffer.alloc(0);
  const filter = { prefix, isInternal: parameters.flag("internal") };
  if (live.count >= MOST_STREAMS)
    throw new KayaError("KAYA_BUSY", `there are ${MOST_STREAMS} event streams: close another page first`);
  const stream = new EventStream(response, filter);
  live.add(stream);
  await new Promise((resolve) => response.once("close", resolve));
  await live.remove(stream);
};

const ROUTES: Readonly<Record<string, Partial<Record<Target["method"], Route>>>> = {
  [API.store]: { GET: { handle: getStore } },
  [API.tree]: { GET: { handle: getTree, gate: "reads" } },
  [API.rows]: { GET: { handle: getRows, gate: "reads" } },
  [API.value]: {
    GET: { handle: getValue, gate: "values" },
    PUT: { handle: putValue, gate: "values" },
    DELETE: { handle: deleteValue, gate: "values" },
  },
  [API.export]: { GET: { handle: getExport, gate: "exports" } },
  [API.events]: { GET: { handle: getEvents } },
};

function parametersOf({ url }: Target, known: readonly string[]): Parameters {
  return new Parameters(url.searchParams, known);
}

/**
 * Resolves with the whole body. A body that is too long is read and dropped: a browser reads no answer while it sends.
 * @throws Refusal
 */
async function readBody(request: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= mostBytes) chunks.push(chunk);
    else chunks.length = 0;
    if (length > MOST_DROPPED_BYTES) break; // which closes the connection
  }
  if (length > mostBytes) throw tooLong(mostBytes);
  return Buffer.concat(chunks);
}

function tooLong(mostBytes: number): Refusal {
  return new Refusal(413, "BAD_REQUEST", `a value has at most ${mostBytes} bytes`);
}
