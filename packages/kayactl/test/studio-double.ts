import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { API, type Events, type Look, type Problem, type Row, type StoreInfo } from "../src/studio/api.js";
import { type PageFiles, readPageFiles } from "../src/studio/page-files.js";
import { PAGE_DIRECTORY } from "./studio-page.js";

const LOOK: Look = {
  at: 0,
  entries: 1,
  lastLsn: 1,
  log: { segments: 1, bytes: 100, coveredLsn: 0 },
  levels: [],
  memtable: { bytes: 0, limitBytes: 1, entries: 0 },
  cache: { bytes: 0, capacityBytes: 1, hits: 0, misses: 0 },
  latency: {},
  flush: { isRunning: false, finished: 0 },
  compaction: { isRunning: false, finished: 0 },
};

/** Speaks as the studio's server does, over a map: for what a real store does not do when it is asked to. */
export class StudioDouble {
  readonly values = new Map<string, string>();
  /** What each request but for events is answered, while it is there. */
  problem: (Problem & { readonly status: number }) | undefined;
  /** Why the store cannot be followed, while it is there. */
  followProblem: Problem | undefined;
  /** Events are answered so too. */
  isRefusing = false;
  info: StoreInfo = { dataDir: "/data", mode: "writer", version: "0.0.0", warnings: [] };
  readonly #files: PageFiles;
  readonly #streams = new Set<ServerResponse>();
  #server: Server | undefined;
  #port = 0;

  private constructor(files: PageFiles) {
    this.#files = files;
  }

  static async start(): Promise<StudioDouble> {
    const double = new StudioDouble(await readPageFiles(PAGE_DIRECTORY));
    await double.listen();
    return double;
  }

  get address(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** Again on the same port, once it was closed. */
  async listen(): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response));
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    this.#server?.closeAllConnections();
    this.#streams.clear();
    await closed;
  }

  send<K extends keyof Events>(event: K, data: Events[K]): void {
    for (const stream of this.#streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.address);
    const path = pathname.slice(1);
    const file = this.#files.get(path);
    const json = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (file !== undefined) {
      response.writeHead(200, { "content-type": file.type }).end(file.bytes);
    } else if (path === API.events && !this.isRefusing) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      this.#streams.add(response);
      response.on("close", () => this.#streams.delete(response));
      if (this.followProblem === undefined) this.send("look", LOOK);
      else this.send("problem", this.followProblem);
    } else if (this.problem !== undefined) {
      const { status, ...problem } = this.problem;
      json(status, problem);
    } else if (path === API.store) {
      json(200, this.info);
    } else if (path === API.value) {
      this.#answerValue(searchParams.get("key") ?? "", json, response);
    } else {
      const keys = [...this.values.keys()].sort();
      const rows = keys.map((key): Row => ({ key: toText(key), length: 1, head: "" }));
      json(200, path === API.tree ? { nodes: rows.map(({ key }) => ({ kind: "key", key })) } : { rows });
    }
  }

  #answerValue(key: string, json: (status: number, body: unknown) => void, response: ServerResponse): void {
    const value = this.values.get(Buffer.from(key, "base64url").toString());
    if (value === undefined) json(404, { code: "NOT_FOUND", message: "the key has no value" });
    else
      response
        .writeHead(200, { etag: `"${toText(value)}"`, "kaya-length": Buffer.byteLength(value) })
        .end(value);
  }
}

function toText(key: string): string {
  return Buffer.from(key).toString("base64url");
}
