import { once } from "node:events";
import { type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import { Engine } from "@kaya/engine";
import { onTestFinished, vi } from "vitest";
import type { GlobalOptions } from "../src/options.js";
import type { RowPage, TreeLevel } from "../src/studio/api.js";
import type { PageFiles } from "../src/studio/page-files.js";
import { ReaderStore, readOnlyConfig } from "../src/studio/reader-store.js";
import { StudioServer } from "../src/studio/server.js";
import type { StudioStore } from "../src/studio/store.js";
import { WriterStore } from "../src/studio/writer-store.js";
import { absentDirectory } from "./helpers.js";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Uint8Array | string;
}

/** One request on a connection of its own. */
export async function ask(
  port: number,
  path: string,
  { method = "GET", headers, body }: Ask = {},
): Promise<Answer> {
  const response = await askOpen(port, path, {
    method,
    ...(headers && { headers }),
    ...(body !== undefined && { body }),
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

/** The same, with the body still to come. */
export async function askOpen(
  port: number,
  path: string,
  { method = "GET", headers, body }: Ask = {},
): Promise<IncomingMessage> {
  const sent = request({ host: "127.0.0.1", port, path, method, agent: false, ...(headers && { headers }) });
  sent.end(body);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return response;
}

/** Tries until nothing is thrown. The time limit ends a test that hangs: a loaded machine takes its time. */
export function eventually(check: () => Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 120_000, interval: 20 });
}

export const b64 = (bytes: string | Uint8Array) => Buffer.from(bytes as string).toString("base64url");
export const text = (base64url: string) => Buffer.from(base64url, "base64url").toString();

export interface Studio {
  readonly port: number;
  /** Those that were shown, oldest first. */
  readonly addresses: readonly string[];
  readonly store: StudioStore;
  /** Of the page that was let in. */
  readonly cookie: string;
  /** A path below that of the address, which the others are given without. */
  at(path: string): string;
  get(path: string, ask?: Ask): Promise<Answer>;
  /** @throws where the answer is not 200 */
  json<T>(path: string): Promise<T>;
  /** As a page does, with its Origin. */
  send(
    method: "PUT" | "DELETE",
    path: string,
    headers: OutgoingHttpHeaders,
    body?: Uint8Array | string,
  ): Promise<Answer>;
  /** Names of one level, groups with their delimiter. */
  tree(parameters?: Record<string, string>): Promise<string[]>;
  rows(parameters?: Record<string, string>): Promise<RowPage>;
  close(): Promise<void>;
}

export const PAGE: PageFiles = new Map([
  ["", { type: "text/html; charset=utf-8", bytes: "<!doctype html><title>page</title>" }],
]);

export function optionsOf(data: string): GlobalOptions {
  return { data, durability: "strict", recovery: "tail", lock: true, color: true };
}

/** A studio that only reads a directory, until the test ends; one page has been let in. */
export async function readingStudio(data: string, files?: PageFiles): Promise<Studio> {
  const options = optionsOf(data);
  const store = new ReaderStore(options, await Engine.open(readOnlyConfig(options)));
  return studioOf(data, store, () => store.close(), files);
}

/** The same, one that writes. */
export async function writingStudio(data: string, engine?: Engine): Promise<Studio> {
  const own = engine ?? (await Engine.open({ dataDir: data }));
  return studioOf(data, await WriterStore.of(optionsOf(data), own), () => own.close());
}

async function studioOf(
  data: string,
  store: StudioStore,
  closeStore: () => Promise<void>,
  files = PAGE,
): Promise<Studio> {
  const addresses: string[] = [];
  const onAddress = (address: string) => addresses.push(address);
  const server = await StudioServer.listen({ store, dataDir: data, files, port: 0, onAddress });
  const { port } = server;
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= server.close().then(closeStore);
    return closing;
  };
  onTestFinished(close);
  const cookie = await letIn(port, addresses[0] ?? "");
  const at = (path: string) => pathAt(addresses[0] ?? "", path);
  const get = (path: string, { headers, ...rest }: Ask = {}) =>
    ask(port, at(path), { ...rest, headers: { cookie, ...headers } });
  const json = async <T>(path: string): Promise<T> => {
    const { status, body } = await get(path);
    if (status !== 200) throw new Error(`${path}: ${status} ${body}`);
    return JSON.parse(body.toString()) as T;
  };
  const query = (parameters: Record<string, string>) => new URLSearchParams(parameters);
  return {
    port,
    addresses,
    store,
    cookie,
    at,
    get,
    json,
    send: (method, path, headers, body) =>
      get(path, {
        method,
        headers: { origin: `http://127.0.0.1:${port}`, ...headers },
        ...(body !== undefined && { body }),
      }),
    tree: async (parameters = {}) => {
      const { nodes } = await json<TreeLevel>(`/api/tree?${query({ delimiter: b64(":"), ...parameters })}`);
      return nodes.map((node) => text(node.kind === "group" ? node.prefix : node.key));
    },
    rows: (parameters = {}) => json<RowPage>(`/api/rows?${query(parameters)}`),
    close,
  };
}

/** Spends an address; gives the cookie. */
export async function letIn(port: number, address: string): Promise<string> {
  const { pathname, search } = new URL(address);
  const { headers } = await ask(port, pathname + search);
  return headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
}

/** A path that begins with a slash, below that of an address. */
export function pathAt(address: string, path: string): string {
  return new URL(address).pathname + path.slice(1);
}

export interface SentEvent {
  readonly event: string;
  readonly data: unknown;
}

/** Reads server-sent events one by one, and ends with the stream. */
export async function* eventsOf(response: IncomingMessage): AsyncGenerator<SentEvent, void> {
  let rest = "";
  response.setEncoding("utf8");
  for await (const chunk of response as AsyncIterable<string>) {
    const blocks = (rest + chunk).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) };
    }
  }
}

/** A data directory with the key "user:1", whose row an index has. */
export async function indexedDirectory(): Promise<string> {
  const data = await absentDirectory();
  const engine = await Engine.open({ dataDir: data });
  const users = engine.view({
    prefix: "user:",
    key: "utf8",
    value: "json",
    indexes: { byName: { key: "utf8", of: () => "x" } },
  });
  await users.put("1", { name: "Ada" });
  await engine.close();
  return data;
}
