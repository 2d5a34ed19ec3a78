import { describe } from "./describe.js";
import { KayaError } from "./errors.js";

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;

// The getter reads an internal slot, so it knows arrays of every realm (node:vm, test runners). Neither a prototype without bytes nor a
// proxy deceives it.
const tagOf = Object.getOwnPropertyDescriptor(typedArray, Symbol.toStringTag)?.get as (
  this: unknown,
) => string | undefined;

const { indexOf } = Uint8Array.prototype;

/**
 * True for a Uint8Array, a Buffer included, of any realm. Its memory may be gone: `checkBytes` refuses that.
 * Never throws.
 */
export function isBytes(value: unknown): value is Uint8Array {
  return tagOf.call(value) === "Uint8Array";
}

/**
 * Refuses whatever is not a Uint8Array of any realm, and one whose memory is gone: that of a buffer which was transferred to another thread,
 * or shrunk below the array. Such an array has a length of 0, and would be taken for an empty one.
 * @param what names it in the message: `"a key"`
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function checkBytes(value: unknown, what: string): asserts value is Uint8Array {
  if (!isBytes(value)) throw invalid(`${what} must be a Uint8Array, not ${describe(value)}`);
  if (value.length === 0) checkEmpty(value, what);
}

/**
 * A copy in its own memory, which nobody else can change, detach or resize.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT for a value that is no Uint8Array, and for one whose memory is gone
 */
export function copyBytes(value: unknown, what: string): Uint8Array {
  checkBytes(value, what);
  return new Uint8Array(value); // not `slice`: Buffer's copies nothing
}

/** Bytes that are not filled, in memory of their own. Not a `Buffer`: its `subarray` costs more. */
export function allocateBytes(length: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafeSlow(length);
  return new Uint8Array(buffer, byteOffset, length);
}

function checkEmpty(bytes: Uint8Array, what: string): void {
  try {
    // Every array method first checks that its memory exists.
    indexOf.call(bytes, 0);
  } catch (cause) {
    throw invalid(
      `the memory of ${what} is gone: its ArrayBuffer was transferred (postMessage, structuredClone) or shrunk. Give bytes that are there`,
      cause,
    );
  }
}

function invalid(message: string, cause?: unknown): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", message, cause === undefined ? undefined : { cause });
}
