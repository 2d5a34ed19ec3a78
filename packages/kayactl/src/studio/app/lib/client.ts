import {
  API,
  type Base64Url,
  type Problem,
  type RowPage,
  type StoreInfo,
  type TreeLevel,
  type Written,
} from "../../api.js";

/** The server refused a request, or did not answer. */
export class StudioError extends Error {
  override readonly name = "StudioError";
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status: number) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** The code where there was no answer at all. */
export const NO_ANSWER = "NO_ANSWER";

let onNoAnswer: () => void = () => undefined;

/** Called whenever a request got no answer. */
export function whenUnanswered(listener: () => void): void {
  onNoAnswer = listener;
}

export type Params = Readonly<Record<string, string | number | undefined>>;

export function urlOf(path: string, params: Params): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, cache: "no-store" });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    onNoAnswer();
    throw new StudioError(NO_ANSWER, "kayactl studio does not answer.", 0);
  }
  if (response.ok) return response;
  const { code, message } = await problemOf(response);
  throw new StudioError(code, message, response.status);
}

async function problemOf(response: Response): Promise<Problem> {
  try {
    const { code, message } = (await response.json()) as Partial<Problem>;
    if (typeof code === "string" && typeof message === "string") return { code, message };
  } catch {
    // The body is not a `Problem`.
  }
  return { code: `HTTP_${response.status}`, message: `The server answered ${response.status}.` };
}

async function askJson<T>(url: string, signal: AbortSignal | undefined): Promise<T> {
  const response = await ask(url, signal === undefined ? {} : { signal });
  return (await response.json()) as T;
}

export function getStore(signal?: AbortSignal): Promise<StoreInfo> {
  return askJson(API.store, signal);
}

export function getTree(params: Params, signal?: AbortSignal): Promise<TreeLevel> {
  return askJson(urlOf(API.tree, params), signal);
}

export function getRows(params: Params, signal?: AbortSignal): Promise<RowPage> {
  return askJson(urlOf(API.rows, params), signal);
}

export interface ValuePart {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly etag: string;
  /** Of the whole value. */
  readonly length: number;
  readonly expiresAt?: number;
}

/** Some bytes of a value; undefined where the key has none. */
export async function getValue(
  key: Base64Url,
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<ValuePart | undefined> {
  let response: Response;
  try {
    response = await ask(urlOf(API.value, { key, offset, length }), signal === undefined ? {} : { signal });
  } catch (error) {
    if (error instanceof StudioError && error.status === 404) return undefined;
    throw error;
  }
  const expiresAt = response.headers.get("Kaya-Expires-At");
  return {
    bytes: new Uint8Array(await response.arrayBuffer()),
    etag: response.headers.get("ETag") ?? "",
    length: Number(response.headers.get("Kaya-Length")),
    ...(expiresAt !== null && { expiresAt: Number(expiresAt) }),
  };
}

/** What a write is held to: the value as it was seen, or that there is none. */
export type Condition = { readonly etag: string } | "absent";

/** `keep`: what the value that is replaced has. */
export type Expiry = "keep" | "never" | number;

export async function putValue(
  key: Base64Url,
  value: Uint8Array<ArrayBuffer>,
  condition: Condition,
  expiry: Expiry,
): Promise<Written> {
  const headers: HeadersInit =
    condition === "absent" ? { "If-None-Match": "*" } : { "If-Match": condition.etag };
  const url = urlOf(API.value, { key, expiresAt: expiry === "keep" ? undefined : expiry });
  return (await ask(url, { method: "PUT", body: value, headers })).json() as Promise<Written>;
}

export async function deleteValue(key: Base64Url, etag: string): Promise<Written> {
  const url = urlOf(API.value, { key });
  return (await ask(url, { method: "DELETE", headers: { "If-Match": etag } })).json() as Promise<Written>;
}

export function isConflict(error: unknown): boolean {
  return error instanceof StudioError && error.status === 412;
}

export function downloadUrl(key: Base64Url): string {
  return urlOf(API.value, { key, download: 1 });
}

export function exportUrl(params: Params): string {
  return urlOf(API.export, { ...params, format: "jsonl" });
}
