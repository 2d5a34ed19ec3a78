import { KayaError } from "@kaya/core";
import { MAX_INDEX_ID } from "./entry-key.js";
import { hasPrefix, RESERVED_PREFIX } from "./reserved.js";

const DEFINITION_MARK = 0x64; // "d"
const HEAD_LENGTH = RESERVED_PREFIX.length + 1;
const FORMAT = 1;

/** The greatest `version` of an index. */
export const MAX_INDEX_VERSION = Number.MAX_SAFE_INTEGER;

/** What an index is, as the store remembers it. */
export interface IndexDefinition {
  /** What all row keys begin with. */
  readonly prefix: Uint8Array;
  readonly name: string;
  /** Its entries stand under it. No two indexes of a store have the same. */
  readonly id: number;
  readonly unique: boolean;
  /** The name of the codec of its keys. */
  readonly codec: string;
  /** Of the function that makes its keys; the program counts it up where that function changes. */
  readonly version: number;
  /** While it is built, rows up to the key `cursor` have their entries, and rows that were written since. */
  readonly state: "building" | "ready";
  /** The last row key that the build has got to, without the prefix; undefined: none yet, or it is built. */
  readonly cursor?: Uint8Array | undefined;
}

/** What all keys of definitions begin with. */
export function definitionsPrefix(): Uint8Array {
  const prefix = new Uint8Array(HEAD_LENGTH);
  prefix.set(RESERVED_PREFIX);
  prefix[HEAD_LENGTH - 1] = DEFINITION_MARK;
  return prefix;
}

/** A name has no 00, so the last one ends the prefix. */
export function definitionKey(prefix: Uint8Array, name: string): Uint8Array {
  return Buffer.concat([definitionsPrefix(), prefix, new Uint8Array(1), Buffer.from(name, "utf8")]);
}

export function encodeDefinition({ id, unique, codec, version, state, cursor }: IndexDefinition): Uint8Array {
  const text = JSON.stringify({
    format: FORMAT,
    id,
    unique,
    codec,
    version,
    state,
    ...(cursor !== undefined && { cursor: Buffer.from(cursor).toString("hex") }),
  });
  return Buffer.from(text, "utf8");
}

/** @throws KayaError KAYA_CORRUPTION for what `encodeDefinition` never makes, KAYA_UNSUPPORTED_VERSION for what a later version made */
export function decodeDefinition(key: Uint8Array, value: Uint8Array): IndexDefinition {
  const found = hasPrefix(key, definitionsPrefix()) ? nameInKey(key) : undefined;
  if (found === undefined) throw damaged(key, "its key has no name");
  const isUtf8 = Buffer.compare(definitionKey(found.prefix, found.name), key) === 0;
  if (!isUtf8) throw damaged(key, "its name is not UTF-8");
  return { ...found, ...fieldsOf(key, value) };
}

/** The prefix of the rows and the name, of any definition's key; undefined where it is none. What is not UTF-8 is replaced. */
export function nameInKey(key: Uint8Array): Pick<IndexDefinition, "prefix" | "name"> | undefined {
  const head = definitionsPrefix().length;
  const zero = key.lastIndexOf(0);
  if (zero < head) return undefined;
  const name = Buffer.from(key.subarray(zero + 1)).toString("utf8");
  return { prefix: new Uint8Array(key.subarray(head, zero)), name };
}

/** The id of a definition that cannot be read otherwise; 0 where there is none. */
export function idOf(value: Uint8Array): number {
  try {
    const { id } = JSON.parse(Buffer.from(value).toString("utf8")) as { readonly id?: unknown };
    return isWhole(id, 1, MAX_INDEX_ID) ? id : 0;
  } catch {
    return 0;
  }
}

type Fields = Omit<IndexDefinition, "prefix" | "name">;

function fieldsOf(key: Uint8Array, value: Uint8Array): Fields {
  const fields = parse(key, value);
  const { format, id, unique, codec, version, state, cursor } = fields;
  if (Number.isSafeInteger(format) && (format as number) > FORMAT)
    throw new KayaError(
      "KAYA_UNSUPPORTED_VERSION",
      `the index definition ${show(key)} has format ${format}, and this version knows ${FORMAT}: use the version of @kaya/engine that wrote it, or a later one`,
      { key: new Uint8Array(key) },
    );
  if (format !== FORMAT) throw damaged(key, "it has no format");
  if (!isWhole(id, 1, MAX_INDEX_ID)) throw damaged(key, "it has no id");
  if (typeof unique !== "boolean") throw damaged(key, "it does not say whether it is unique");
  if (typeof codec !== "string") throw damaged(key, "it names no codec");
  if (!isWhole(version, 0, MAX_INDEX_VERSION)) throw damaged(key, "it has no version");
  if (state !== "building" && state !== "ready") throw damaged(key, "it has no state");
  if (cursor === undefined) return { id, unique, codec, version, state };
  if (state !== "building" || typeof cursor !== "string" || !/^(?:[0-9a-f]{2})*$/.test(cursor))
    throw damaged(key, "its cursor is none");
  return { id, unique, codec, version, state, cursor: new Uint8Array(Buffer.from(cursor, "hex")) };
}

function parse(key: Uint8Array, value: Uint8Array): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(value).toString("utf8"));
  } catch (cause) {
    throw damaged(key, "it is no JSON", cause);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw damaged(key, "it is no object");
  return { ...parsed };
}

function isWhole(value: unknown, from: number, to: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to;
}

function damaged(key: Uint8Array, why: string, cause?: unknown): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `the index definition ${show(key)} is damaged: ${why}. Rows under its prefix are read, and not written. Remove it by \`dropIndex\` of a view of these rows: a view that declares the index builds it anew.`,
    { key: new Uint8Array(key), ...(cause !== undefined && { cause }) },
  );
}

function show(key: Uint8Array): string {
  return `0x${Buffer.from(key).toString("hex")}`;
}
