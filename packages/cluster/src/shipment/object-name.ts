import { createHash } from "node:crypto";

/** LSNs and times have up to 16 digits. */
const DIGITS = 16;
const EPOCH_DIGITS = 10;

/** Formats a number so that names sort in the order of the numbers. */
export function digits(value: number): string {
  return String(value).padStart(DIGITS, "0");
}

/** Formats an epoch so that names sort in the order of the epochs. */
export function epochDigits(epoch: number): string {
  return String(epoch).padStart(EPOCH_DIGITS, "0");
}

/** The longest part, in characters. A part of an object's name has at most 200, and an epoch precedes this one. */
const MAX_PART = 150;

/**
 * Encodes any text as a part of a name. Other characters become `=` and hex digits, and a long part ends with a hash, so that two different texts never get
 * the same name.
 */
export function namePart(text: string): string {
  const part = [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9-]/.test(character) ? character : `=${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
  if (part.length <= MAX_PART) return part;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 32);
  return `${part.slice(0, MAX_PART - hash.length - 1)}.${hash}`;
}
