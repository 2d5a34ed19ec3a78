import { decode } from "@msgpack/msgpack";
import { decodeText } from "../lib/bytes.js";
import { nodeOf, parseJson, type ValueNode } from "./value-node.js";

export const FORMATS = ["json", "msgpack", "text", "hex"] as const;
export type Format = (typeof FORMATS)[number];

export const FORMAT_NAMES: Readonly<Record<Format, string>> = {
  json: "JSON",
  msgpack: "MessagePack",
  text: "Text",
  hex: "Hex",
};

/** A value in each form that it has. */
export interface Formats {
  readonly best: Format;
  readonly json?: ValueNode;
  readonly msgpack?: ValueNode;
  readonly text?: string;
}

/** What a whole value can be shown as, and what suits it best. Hex always can be. */
export function formatsOf(bytes: Uint8Array): Formats {
  const text = decodeText(bytes);
  const json = text === undefined ? undefined : parseJson(text);
  const msgpack = json === undefined ? decodeMessagePack(bytes) : undefined;
  const best = json !== undefined ? "json" : bestOf(text, msgpack);
  return {
    best,
    ...(json !== undefined && { json }),
    ...(msgpack !== undefined && { msgpack }),
    ...(text !== undefined && { text }),
  };
}

function bestOf(text: string | undefined, msgpack: ValueNode | undefined): Format {
  if (text !== undefined && isReadable(text)) return "text";
  if (msgpack?.kind === "branch") return "msgpack";
  return "hex";
}

/** At most one character in twenty is a control. */
function isReadable(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is counted
  const controls = text.match(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g)?.length ?? 0;
  return controls * 20 <= text.length;
}

/** The value of MessagePack bytes; undefined for other bytes. Bytes that begin with a small number are refused: text begins so, too. */
function decodeMessagePack(bytes: Uint8Array): ValueNode | undefined {
  const first = bytes[0] ?? 0;
  if (bytes.length < 1 || first < 0x80 || first >= 0xe0) return undefined;
  try {
    const value = decode(bytes, { useBigInt64: true });
    return nodeOf(value);
  } catch {
    return undefined;
  }
}

/** What the beginning of a value that is too large to be decoded suggests. */
export function formatOfBeginning(text: string | undefined): Format {
  return text !== undefined && isReadable(text) ? "text" : "hex";
}
