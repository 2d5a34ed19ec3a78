import { checkBytes, type DurabilityMode, describe, isBytes, isDurabilityMode, KayaError } from "@kaya/core";

/** A key or value as a caller may give it: bytes, or text that is stored as UTF-8. */
export type Bytes = Uint8Array | string;

// Up to here a loop over the characters takes less time than a call of the encoder (docs/performance-notes.md).
const SHORT_TEXT = 32;

/**
 * The bytes of a key or value.
 * @throws KayaError KAYA_INVALID_ARGUMENT for anything but bytes and well-formed text. Half a surrogate pair has no UTF-8:
 *   replacing it, as encoders do, would make different keys equal. An array whose memory is gone would be taken for an empty one.
 */
export function toBytes(input: Bytes, what: string): Uint8Array {
  if (typeof input === "string") {
    const ascii = input.length <= SHORT_TEXT ? encodeAscii(input) : undefined;
    if (ascii !== undefined) return ascii;
    if (isWellFormed(input)) return Buffer.from(input, "utf8");
    throw invalid(
      `the ${what} ${describe(input)} holds half a surrogate pair, which UTF-8 cannot store: give it as bytes`,
    );
  }
  if (!isBytes(input)) throw invalid(`the ${what} must be a string or a Uint8Array, not ${describe(input)}`);
  if (input.length === 0) checkBytes(input, `the ${what}`);
  return input;
}

/** Undefined where the text is not all ASCII. */
function encodeAscii(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return undefined;
    bytes[i] = unit;
  }
  return bytes;
}

// In every Node that this package supports; not in the ES2023 library that it compiles against.
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function checkDurability(mode: unknown): asserts mode is DurabilityMode {
  if (!isDurabilityMode(mode))
    throw invalid(`durability must be "strict" or "relaxed", not ${describe(mode)}`);
}

export function invalid(message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", message);
}
