import { describe, KayaError } from "@kaya/core";

/** Keeps a name below the limits of file systems (255 bytes a part) and of S3 (1,024 bytes a key), with room for a prefix. */
const MOST_NAME_BYTES = 700;
const MOST_PART_BYTES = 200;

const PART = /^[A-Za-z0-9._=-]+$/;

/**
 * Checks the name of an object: it cannot lead out of a directory, and every kind of store can keep it.
 *
 * @returns the name
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function checkBlobName(name: string): string {
  checkText(name, "the name of an object");
  for (const part of name.split("/")) {
    if (!PART.test(part) || part === "." || part === "..")
      throw refused("the name of an object", name, "each part has letters, digits, `.`, `_`, `=` and `-`");
    if (part.length > MOST_PART_BYTES)
      throw refused("the name of an object", name, `a part has at most ${MOST_PART_BYTES} characters`);
  }
  return name;
}

/**
 * Checks a prefix of names. It may end anywhere in a name, and may be empty.
 *
 * @returns the prefix
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function checkBlobPrefix(prefix: string): string {
  if (prefix === "") return prefix;
  // A prefix is valid if some valid name begins with it.
  checkText(prefix, "the prefix of names");
  const parts = prefix.split("/");
  const last = parts.pop() as string;
  for (const part of [...parts, `${last}a`]) {
    if (PART.test(part) && part !== "." && part !== "..") continue;
    throw refused("the prefix of names", prefix, "no valid name begins with it");
  }
  return prefix;
}

/**
 * Checks a range of an object's bytes.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function checkBlobRange(range: { readonly offset?: number; readonly length?: number } = {}): {
  readonly offset: number;
  readonly length: number;
} {
  const { offset = 0, length = Number.MAX_SAFE_INTEGER } = range;
  for (const [what, value] of Object.entries({ offset, length })) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `${what} must be a whole number >= 0, not ${describe(value)}`,
    );
  }
  return { offset, length };
}

function checkText(name: unknown, what: string): void {
  if (typeof name !== "string") throw refused(what, name, "it is not a string");
  if (name.length > MOST_NAME_BYTES)
    throw refused(what, name, `it has more than ${MOST_NAME_BYTES} characters`);
}

function refused(what: string, name: unknown, why: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", `${what} is not allowed: ${describe(name)}: ${why}`);
}
