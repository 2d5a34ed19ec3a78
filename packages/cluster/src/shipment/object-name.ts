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

/** The name of an object has parts of at most 200 characters, and an epoch comes before this one. */
const MOST_PART = 150;

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
  if (part.length <= MOST_PART) return part;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 32);
  return `${part.slice(0, MOST_PART - hash.length - 1)}.${hash}`;
}
