import { crc32c, KayaError } from "@kaya/core";
import type { BlobOptions, BlobStore } from "../blob-store.js";

const SEAL_BYTES = "crc32c 00000000\n".length;
const SEAL = /^crc32c ([0-9a-f]{8})\n$/;
const NEWLINE = 0x0a;

/** The fields of an object: numbers, strings, and structures of them. */
export type Facts = Readonly<Record<string, unknown>>;

/** An object that was read completely: its fields, and the bytes after them. */
export interface OpenedObject {
  readonly facts: Facts;
  readonly body: Uint8Array;
}

/** Makes an object: a line of JSON with the fields, any bytes after it, and a checksum of both at the end. */
export function sealObject(format: string, facts: Facts, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const head = Buffer.from(`${JSON.stringify({ format, ...facts })}\n`);
  const seal = `crc32c ${crc32c(body, crc32c(head)).toString(16).padStart(8, "0")}\n`;
  return Buffer.concat([head, body, Buffer.from(seal)]);
}

/**
 * Reads an object of `sealObject`.
 * @param format the format that the object must have
 * @throws KayaError KAYA_CORRUPTION with the object and the offset; KAYA_UNSUPPORTED_VERSION for another format; KAYA_NOT_FOUND, KAYA_IO
 */
export async function openSealedObject(
  store: BlobStore,
  name: string,
  format: string,
  options: BlobOptions = {},
): Promise<OpenedObject> {
  return unseal(await store.get(name, options), { store: store.name, name, format });
}

function unseal(
  bytes: Uint8Array,
  { store, name, format }: { readonly store: string; readonly name: string; readonly format: string },
): OpenedObject {
  const damaged = (offset: number, why: string) => damagedObject(store, name, offset, why);
  const end = bytes.length - SEAL_BYTES;
  if (end < 0) throw damaged(bytes.length, "it ends here, before its checksum");
  const seal = Buffer.from(bytes.subarray(end)).toString("latin1");
  const expected = SEAL.exec(seal)?.[1];
  if (expected === undefined) throw damaged(end, "it does not end with a checksum");
  const found = crc32c(bytes.subarray(0, end)).toString(16).padStart(8, "0");
  if (found !== expected) throw damaged(0, `its checksum is ${found}, and must be ${expected}`);
  const line = bytes.indexOf(NEWLINE);
  const facts = line < 0 ? undefined : parse(Buffer.from(bytes.subarray(0, line)).toString());
  if (facts === undefined) throw damaged(0, "it does not begin with a line of JSON");
  if (facts.format !== format)
    throw new KayaError(
      "KAYA_UNSUPPORTED_VERSION",
      `the object ${name} in ${store} has the format ${JSON.stringify(facts.format)}, but this version reads ${JSON.stringify(format)}`,
    );
  return { facts, body: bytes.subarray(line + 1, end) };
}

/** The error of a damaged object. */
export function damagedObject(store: string, name: string, offset: number, why: string): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `the object ${name} in ${store} is damaged at offset ${offset}: ${why}. Nothing was restored from it.`,
  );
}

function parse(line: string): Facts | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Facts) : undefined;
  } catch {
    return undefined; // the caller reports it
  }
}
