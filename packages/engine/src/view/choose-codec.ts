import { describe } from "@kaya/core";
import { invalid } from "../input.js";
import { BYTES } from "./codecs/bytes.js";
import type { Codec, PrefixCodec } from "./codecs/codec.js";
import { json } from "./codecs/json.js";
import { loadedCodec } from "./codecs/msgpack.js";
import { tuple } from "./codecs/tuple.js";
import { UTF8 } from "./codecs/utf8.js";

type AnyCodec = Codec<unknown, never>;

const KEYS: ReadonlyMap<unknown, () => AnyCodec> = new Map<unknown, () => AnyCodec>([
  ["utf8", () => UTF8],
  ["tuple", () => tuple()],
  ["bytes", () => BYTES],
]);

const VALUES: ReadonlyMap<unknown, () => AnyCodec> = new Map<unknown, () => AnyCodec>([
  ["json", () => json()],
  ["msgpack", () => loadedCodec()],
  ["utf8", () => UTF8],
  ["bytes", () => BYTES],
]);

/** They keep no bytes that they decode, so these need not be copied for them. */
const TAKE_LENT: ReadonlySet<AnyCodec> = new Set<AnyCodec>([UTF8, json(), tuple()]);

/** Whether a codec decodes bytes that are somebody else's, and may be used again once it returns. */
export function takesLent(codec: AnyCodec): boolean {
  return TAKE_LENT.has(codec);
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function keyCodec<K, P>(choice: unknown): Codec<K> & Partial<PrefixCodec<K, P>> {
  return choose("key", KEYS, choice) as Codec<K> & Partial<PrefixCodec<K, P>>;
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function valueCodec<V, In>(choice: unknown): Codec<V, In> {
  return choose("value", VALUES, choice) as Codec<V, In>;
}

function choose(
  what: "key" | "value",
  named: ReadonlyMap<unknown, () => AnyCodec>,
  choice: unknown,
): AnyCodec {
  const make = named.get(choice);
  if (make !== undefined) return make();
  if (isCodec(choice)) return choice;
  const names = [...named.keys()].map((name) => JSON.stringify(name)).join(", ");
  throw invalid(
    `the ${what} of a view must be ${names} or a codec (an object with a name and the functions encode and decode), not ${describe(choice)}`,
  );
}

function isCodec(value: unknown): value is AnyCodec {
  if (typeof value !== "object" || value === null) return false;
  const { name, encode, decode } = value as Partial<AnyCodec>;
  return typeof name === "string" && typeof encode === "function" && typeof decode === "function";
}
