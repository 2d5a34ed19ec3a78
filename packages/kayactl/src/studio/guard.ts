import type { IncomingMessage } from "node:http";
import { badRequest, forbidden, Refusal } from "./refusal.js";

/** Of a request's first line: room for a prefix, bounds and a cursor of keys of some kilobytes. */
const MOST_URL_CHARACTERS = 64 * 1024;

/** A request whose headers were checked. */
export interface Target {
  readonly method: "GET" | "PUT" | "DELETE";
  readonly url: URL;
}

/**
 * Refuses requests that the studio's page does not send: another Host (a name that was bound to 127.0.0.1 to get past the browser's rules), another site's
 * Origin, a fetch that another site began, a frame, a body where none belongs.
 * @param port that the server listens on
 * @throws Refusal
 */
export function checkRequest(request: IncomingMessage, port: number): Target {
  const { headers } = request;
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  const [host, ...others] = valuesOf(request, "host");
  if (host === undefined || others.length > 0 || !hosts.includes(host))
    throw forbidden(`the Host of a request must be ${hosts[0]}`);
  const method = checkMethod(request.method);
  const isFromPage = checkOrigin(request, host);
  if (method !== "GET" && !isFromPage)
    throw forbidden(
      `a ${method} needs an Origin or Sec-Fetch-Site header that says that the studio's page sent it`,
    );
  if (method !== "PUT" && hasBody(headers)) throw badRequest(`a ${method} has no body`);
  return { method, url: readUrl(request.url ?? "", host) };
}

function checkMethod(method: string | undefined): Target["method"] {
  if (method === "GET" || method === "PUT" || method === "DELETE") return method;
  throw new Refusal(405, "BAD_REQUEST", "the studio takes GET, PUT and DELETE", {
    allow: "GET, PUT, DELETE",
  });
}

/** Whether the browser says that the studio's own page sent it. @throws Refusal if it says that something else did */
function checkOrigin(request: IncomingMessage, host: string): boolean {
  const origins = valuesOf(request, "origin");
  const sites = valuesOf(request, "sec-fetch-site");
  if (origins.some((origin) => origin !== `http://${host}`))
    throw forbidden("a page of another origin sent this request");
  // `none`: the user typed the address, or another program opened it.
  if (sites.some((site) => site !== "same-origin" && site !== "none"))
    throw forbidden("another site opened this address. Paste it into the address bar of the browser.");
  const [destination] = valuesOf(request, "sec-fetch-dest");
  if (destination !== undefined && FRAMES.has(destination))
    throw forbidden("the studio does not open in a frame");
  return origins.length > 0 || (sites.length > 0 && sites.every((site) => site === "same-origin"));
}

const FRAMES: ReadonlySet<string> = new Set(["iframe", "frame", "embed", "object", "fencedframe"]);

function hasBody(headers: IncomingMessage["headers"]): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/** Every value that a header has: `headers` shows only one of them. */
function valuesOf({ rawHeaders }: IncomingMessage, name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);
}

function readUrl(text: string, host: string): URL {
  if (text.length > MOST_URL_CHARACTERS)
    throw new Refusal(414, "BAD_REQUEST", `the address is longer than ${MOST_URL_CHARACTERS} characters`);
  if (!text.startsWith("/") || text.startsWith("//")) throw badRequest("the address must be a path");
  if (!URL.canParse(text, `http://${host}`)) throw badRequest("the address cannot be read");
  return new URL(text, `http://${host}`);
}
