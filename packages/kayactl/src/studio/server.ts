import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { KayaError } from "@kaya/core";
import { send, sendNote, sendProblem } from "./answers.js";
import { Gate } from "./gate.js";
import { checkRequest, type Target } from "./guard.js";
import { Live } from "./live.js";
import type { PageFiles } from "./page-files.js";
import { answerTo, forbidden } from "./refusal.js";
import { type Exchange, type GateName, routeOf, type Served } from "./routes.js";
import { COOKIE, randomPath, readCookie, Sessions } from "./session.js";

const HOST = "127.0.0.1";

/** Addresses hold keys. */
const MOST_HEADER_BYTES = 96 * 1024;
const MOST_CONNECTIONS = 128;
/** Requests that are answered at the same time; others wait. A value or an export may take tens of mebibytes of memory. */
const MOST_AT_ONCE: Readonly<Record<GateName, number>> = { reads: 8, values: 8, exports: 4 };
const HEADERS_MS = 10_000;
const REQUEST_MS = 60_000;
/** A connection on which nothing moves for this long is closed. */
const IDLE_MS = 30_000;
const KEEP_ALIVE_MS = 5_000;
const CHECK_MS = 1_000;

export interface StudioOptions extends Omit<Served, "live"> {
  readonly files: PageFiles;
  /** 0: any that is free. */
  readonly port: number;
  /** Called with each address that lets one browser in. Only the user who started the program may see it. */
  readonly onAddress: (address: string) => void;
}

/** The studio's HTTP server, on this machine's own address. */
export class StudioServer {
  readonly #server: Server;
  readonly #served: Served;
  readonly #files: PageFiles;
  readonly #sessions: Sessions;
  /** Begins and ends with a slash. All but the way in is below it. */
  readonly #root = randomPath();
  readonly #answering = new Set<Promise<void>>();
  readonly #gates = {
    reads: new Gate(MOST_AT_ONCE.reads),
    values: new Gate(MOST_AT_ONCE.values),
    exports: new Gate(MOST_AT_ONCE.exports),
  };

  private constructor({ files, onAddress, ...served }: StudioOptions) {
    this.#served = { ...served, live: new Live(served.store) };
    this.#files = files;
    this.#sessions = new Sessions((token) =>
      onAddress(`http://${HOST}:${this.port}${this.#root}?token=${token}`),
    );
    this.#server = createServer(
      {
        maxHeaderSize: MOST_HEADER_BYTES,
        headersTimeout: HEADERS_MS,
        requestTimeout: REQUEST_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: CHECK_MS,
      },
      (request, response) => this.#take(request, response),
    );
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.timeout = IDLE_MS;
    this.#server.on("clientError", refuseGarbage);
  }

  /** Resolves once it takes requests. @throws KayaError KAYA_IO if it cannot listen on the port */
  static async listen(options: StudioOptions): Promise<StudioServer> {
    const studio = new StudioServer(options);
    const { port } = options;
    await new Promise<void>((resolve, reject) => {
      studio.#server.once("error", (cause: NodeJS.ErrnoException) => reject(portError(port, cause)));
      studio.#server.listen({ port, host: HOST, exclusive: true }, resolve);
    });
    studio.#server.on("error", () => undefined); // one connection could not be accepted: others can
    studio.#sessions.offer();
    return studio;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends all streams and connections; resolves once nothing reads or writes the store any more. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#served.live.close();
    this.#server.closeAllConnections();
    await Promise.allSettled(this.#answering);
    await closed;
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    response.on("error", () => undefined); // its reader has gone
    const answering = this.#answer(request, response).catch((error: unknown) =>
      fail(request, response, error),
    );
    this.#answering.add(answering);
    answering.finally(() => this.#answering.delete(answering)).catch(() => undefined);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = checkRequest(request, this.port);
    const { method, url } = target;
    const isInside = url.pathname.startsWith(this.#root);
    const path = isInside ? url.pathname.slice(this.#root.length) : url.pathname;
    const isPage = isInside && path === "";
    const isKnown = isInside && this.#sessions.isKnown(readCookie(request.headers.cookie, COOKIE));
    if (isPage && method === "GET" && url.searchParams.has("token"))
      return this.#exchange(target, response, isKnown);
    if (!isKnown) {
      // It may be the address of a studio that has ended.
      if (method === "GET" && url.pathname.endsWith("/")) return this.#showTheWay(response);
      throw forbidden("open the studio's page first: the address that the terminal shows lets a browser in");
    }
    const file = this.#files.get(path);
    if (file !== undefined && method === "GET") return send(response, 200, file);
    if (isPage && this.#files.size === 0) return showNotBuilt(response);
    await this.#handle(path, { request, response, target });
  }

  async #handle(path: string, exchange: Exchange): Promise<void> {
    const { handle, gate } = routeOf(path, exchange.target.method);
    if (gate === undefined) return handle(this.#served, exchange);
    await this.#gates[gate].pass(async () => {
      if (exchange.response.closed) return; // its reader has gone
      await handle(this.#served, exchange);
      await sent(exchange.response);
    });
  }

  /** A cookie for a good token, and then the page without the token in its address. */
  #exchange({ url }: Target, response: ServerResponse, isKnown: boolean): void {
    const cookie = this.#sessions.exchange(url.searchParams.get("token") ?? "");
    if (cookie === undefined && !isKnown) {
      this.#showTheWay(response);
      return;
    }
    const headers = {
      location: this.#root,
      ...(cookie !== undefined && {
        "set-cookie": `${COOKIE}=${cookie}; Path=${this.#root}; HttpOnly; SameSite=Strict`,
      }),
    };
    send(response, 303, { type: "text/plain; charset=utf-8", bytes: "" }, headers);
  }

  #showTheWay(response: ServerResponse): void {
    this.#sessions.offer();
    sendNote(
      response,
      403,
      "This address does not open the studio",
      "Each address of the studio works once. Open the last one that the terminal with kayactl studio shows.",
    );
  }
}

function showNotBuilt(response: ServerResponse): void {
  sendNote(
    response,
    503,
    "The studio's page is missing",
    "Its files are not in dist/studio of @kaya/kayactl. In a checkout, build them with: npx pnpm@10 build. Otherwise, install the package again.",
  );
}

/** Resolves once all of an answer has left, or its reader is gone. */
async function sent(response: ServerResponse): Promise<void> {
  if (!response.closed) await once(response, "close");
}

function fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy(); // the client must not take a part for all of it
    return;
  }
  const { status, headers, problem } = answerTo(error);
  // The body of a request without access is not read. Any other is read and dropped: a browser reads no answer while it sends.
  const closing = problem.code === "FORBIDDEN" && !request.complete ? { connection: "close" } : {};
  sendProblem(response, status, problem, { ...headers, ...closing });
}

/** Answers input that is not HTTP, or that came too slowly. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = GARBAGE[error.code ?? ""] ?? "400 Bad Request";
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

const GARBAGE: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

function portError(port: number, cause: NodeJS.ErrnoException): KayaError {
  const reason =
    cause.code === "EADDRINUSE"
      ? "another program has it. Give another --port, or none"
      : (cause.code ?? cause.message);
  return new KayaError("KAYA_IO", `cannot listen on ${HOST}:${port}: ${reason}`, { cause });
}
