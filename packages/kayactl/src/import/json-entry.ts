import { isUtf8 } from "node:buffer";
import { describe } from "@kaya/core";
import type { ImportEntry } from "./import-source.js";

/** A line that is no entry, and why: the message goes on from "line 7 of data.jsonl". */
export class NotAnEntry extends Error {}

const FIELDS = ["key", "keyHex", "value", "valueHex", "expiresAt"];
const HALF_A_PAIR = /\p{Surrogate}/u;
const GZIP_BYTE = 0x1f;

/**
 * The entry that a line of JSON is, exact about its bytes.
 * @returns undefined for a line of white space alone
 * @throws NotAnEntry
 */
export function entryOfLine(line: Uint8Array, place: number): ImportEntry | undefined {
  const document = documentIn(line);
  if (document === undefined) return undefined;
  const unknown = Object.keys(document).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined)
    throw new NotAnEntry(`has the field ${describe(unknown)}: an entry has ${FIELDS.join(", ")}`);
  const expiresAt = expiryIn(document);
  return {
    key: bytesIn(document, "key"),
    value: bytesIn(document, "value"),
    ...(expiresAt !== undefined && { expiresAt }),
    place,
  };
}

type Document = Readonly<Record<string, unknown>>;

function documentIn(line: Uint8Array): Document | undefined {
  if (!isUtf8(line)) {
    const hint =
      line[0] === GZIP_BYTE
        ? "it looks compressed: pipe it through `gunzip -c` into `kayactl import -`"
        : "bytes that are no text go into keyHex or valueHex";
    throw new NotAnEntry(`is not UTF-8: ${hint}`);
  }
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString("utf8");
  if (text.trim() === "") return undefined;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new NotAnEntry(`is no JSON document: ${(cause as Error).message}`);
  }
  if (typeof document !== "object" || document === null || Array.isArray(document))
    throw new NotAnEntry(`is ${describe(document)}, and an entry is an object`);
  return document as Document;
}

function bytesIn(document: Document, name: "key" | "value"): Uint8Array {
  const [text, hex] = [document[name], document[`${name}Hex`]];
  if (text !== undefined && hex !== undefined)
    throw new NotAnEntry(`has both ${name} and ${name}Hex: give one of them`);
  if (hex !== undefined) return hexBytes(hex, `${name}Hex`);
  if (text === undefined) throw new NotAnEntry(`has neither ${name} nor ${name}Hex`);
  if (typeof text !== "string")
    throw new NotAnEntry(
      `has the ${name} ${describe(text)}, which is no text: write it as text, a JSON document too`,
    );
  if (HALF_A_PAIR.test(text))
    throw new NotAnEntry(
      `has half a surrogate pair in ${name}, which UTF-8 cannot store: give its bytes as ${name}Hex`,
    );
  return Buffer.from(text, "utf8");
}

function hexBytes(hex: unknown, name: string): Uint8Array {
  if (typeof hex !== "string" || !/^(?:[0-9a-f]{2})*$/i.test(hex))
    throw new NotAnEntry(
      `has the ${name} ${describe(hex)}: it must be text of two digits 0-9 a-f for each byte`,
    );
  return Buffer.from(hex, "hex");
}

function expiryIn({ expiresAt }: Document): number | undefined {
  if (expiresAt === undefined) return undefined;
  if (typeof expiresAt === "number" && Number.isSafeInteger(expiresAt) && expiresAt >= 1) return expiresAt;
  throw new NotAnEntry(
    `has the expiresAt ${describe(expiresAt)}: it must be milliseconds since 1970, a whole number from 1 to 2^53 - 1`,
  );
}
