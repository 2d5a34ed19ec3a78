import type { OutgoingHttpHeaders } from "node:http";
import { type Entry, isReservedKey } from "@kaya/engine";
import { displayBytes } from "../terminal/text.js";
import type { Parameters } from "./parameters.js";
import { badRequest, forbidden, notFound, Refusal } from "./refusal.js";

export const VALUE_PARAMETERS: readonly string[] = ["key", "offset", "length", "download", "internal"];
export const WRITE_PARAMETERS: readonly string[] = ["key", "expiresAt"];

const MOST_MESSAGE_CHARACTERS = 200;
const MOST_NAME_CHARACTERS = 100;

export interface ValueRequest {
  readonly key: Buffer;
  readonly offset: number;
  /** Of what is wanted, at most. */
  readonly length: number;
  readonly isDownload: boolean;
}

/** @throws Refusal */
export function readValueRequest(parameters: Parameters): ValueRequest {
  const key = parameters.requiredBytes("key");
  if (isReservedKey(key) && !parameters.flag("internal"))
    throw forbidden("the key is Kaya's own: `internal=1` shows it");
  return {
    key,
    offset: parameters.number("offset", 0, Number.MAX_SAFE_INTEGER) ?? 0,
    length: parameters.number("length", 0, Number.MAX_SAFE_INTEGER) ?? Number.MAX_SAFE_INTEGER,
    isDownload: parameters.flag("download"),
  };
}

/** An entry that is there. */
type FoundEntry = Entry & { readonly value: Uint8Array };

export function isFound(entry: Entry): entry is FoundEntry {
  return entry.value !== undefined;
}

/** The wanted bytes of a value, and headers about the whole value. */
export function valueAnswer(
  { key, value, sequence, expiresAt }: FoundEntry,
  { offset, length, isDownload }: ValueRequest,
): { readonly bytes: Uint8Array; readonly headers: OutgoingHttpHeaders } {
  const bytes = value.subarray(offset, Math.min(value.length, offset + length));
  const headers = {
    etag: toEtag(sequence),
    "kaya-length": value.length,
    ...(expiresAt !== undefined && { "kaya-expires-at": expiresAt }),
    ...(isDownload && { "content-disposition": `attachment; filename="${fileNameOf(key)}"` }),
  };
  return { bytes, headers };
}

export function noValue(key: Uint8Array): Refusal {
  const name = displayBytes(key.subarray(0, MOST_MESSAGE_CHARACTERS));
  return notFound(
    `there is no value under the key ${name}${key.length > MOST_MESSAGE_CHARACTERS ? "…" : ""}`,
  );
}

/** A name that every file system takes, and that cannot break the header. */
function fileNameOf(key: Uint8Array): string {
  const name = Buffer.from(key.subarray(0, MOST_NAME_CHARACTERS)).toString("latin1");
  return name.replace(/[^A-Za-z0-9_.-]/g, "_").replace(/^\.+/, "_") || "value";
}

/** The sequence of the write that made the value: no other write has it. */
export function toEtag(sequence: number | undefined): string {
  return `"${sequence}"`;
}

export interface WriteRequest {
  readonly key: Buffer;
  /** What the key must have when the write takes effect; undefined: it must be absent. */
  readonly sequence: number | undefined;
  /** `kept`: as the value that is replaced. Undefined: never. */
  readonly expiresAt: number | "kept" | undefined;
}

interface ConditionHeaders {
  readonly "if-match"?: string | undefined;
  readonly "if-none-match"?: string | undefined;
}

/**
 * @param headers `If-Match: "7"`, or for a new key `If-None-Match: *`
 * @throws Refusal
 */
export function readWriteRequest(parameters: Parameters, headers: ConditionHeaders): WriteRequest {
  const key = parameters.requiredBytes("key");
  if (isReservedKey(key)) throw forbidden("the key is Kaya's own, and the studio does not write it");
  return { key, sequence: readCondition(headers), expiresAt: readExpiry(parameters) };
}

function readCondition(headers: ConditionHeaders): number | undefined {
  const { "if-match": match, "if-none-match": noneMatch } = headers;
  if (match === undefined && noneMatch === undefined)
    throw new Refusal(
      428,
      "BAD_REQUEST",
      "a write needs If-Match with the ETag of the value, or If-None-Match: * for a new key",
    );
  if (match !== undefined && noneMatch !== undefined)
    throw badRequest("a write has If-Match or If-None-Match, not both");
  if (noneMatch !== undefined) {
    if (noneMatch !== "*") throw badRequest("If-None-Match must be *");
    return undefined;
  }
  const sequence = Number(/^"(\d{1,16})"$/.exec(match ?? "")?.[1]);
  if (!Number.isSafeInteger(sequence) || sequence < 1)
    throw badRequest("If-Match must be one ETag that a value had");
  return sequence;
}

function readExpiry(parameters: Parameters): WriteRequest["expiresAt"] {
  if (parameters.text("expiresAt") === "never") return undefined;
  return parameters.number("expiresAt", 1, Number.MAX_SAFE_INTEGER) ?? "kept";
}
