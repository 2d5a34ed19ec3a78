import type { Base64Url } from "./api.js";

export function toText(bytes: Uint8Array): Base64Url {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");
}

/** Undefined for what is not base64url without padding. */
export function fromText(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined; // decoding passes over what is no base64url
}
