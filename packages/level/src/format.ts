/** The formats of abstract-level: all its encodings use one of these. */
export type Format = "utf8" | "buffer" | "view";

/** A key or value in one of the formats. */
export type Data = string | Uint8Array;

/** The engine's bytes in a format. Only text is a copy. */
export function toFormat(bytes: Uint8Array, format: Format): Data {
  if (format === "view") return bytes;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return format === "buffer" ? buffer : buffer.toString();
}
