import { KayaError } from "@kaya/core";
import type { Encoding } from "./format.js";

/** How blocks are compressed. `"none"` needs no library. */
export type Compression = "none" | "snappy";

export const COMPRESSIONS: readonly Compression[] = ["none", "snappy"];

/** The two functions that a library has to give. Each gives a new buffer. */
export interface Codec {
  compress(bytes: Uint8Array): Uint8Array;
  uncompress(bytes: Uint8Array): Uint8Array;
}

interface SnappyModule {
  compressSync(input: Uint8Array, options: { copyOutputData: boolean }): Uint8Array;
  uncompressSync(input: Uint8Array, options: { copyOutputData: boolean; asBuffer: boolean }): Uint8Array;
}

// Buffers that the library allocates are freed only between turns of the event loop: a run of synchronous reads would hold gigabytes.
// Node's own buffers do not have this problem.
const COPIED = { copyOutputData: true };
const COPIED_BUFFER = { copyOutputData: true, asBuffer: true };

// `import.meta` is empty in CommonJS.
const HERE = import.meta.filename ?? __filename;
let snappy: Codec | undefined;

/**
 * Loads the library at the first use. Bundlers do not see this `require` (webpack knows an imported `createRequire`), so they need no setting
 * for a native module.
 */
function loadSnappy(): Codec {
  if (snappy !== undefined) return snappy;
  const load = process.getBuiltinModule("node:module").createRequire(HERE);
  const { compressSync, uncompressSync } = load("snappy") as SnappyModule;
  snappy = {
    compress: (bytes) => plain(compressSync(bytes, COPIED)),
    uncompress: (bytes) => plain(uncompressSync(bytes, COPIED_BUFFER)),
  };
  return snappy;
}

/**
 * The library for an encoding.
 * @param what needs it: begins the error's message
 * @throws KayaError KAYA_IO where it cannot be loaded
 */
export function codecFor(encoding: typeof Encoding.Snappy, what: string, load = loadSnappy): Codec {
  try {
    return load();
  } catch (cause) {
    throw new KayaError(
      "KAYA_IO",
      `${what} the package "snappy", which cannot be loaded here (encoding ${encoding}): ${messageOf(cause)}. Install it (npm install snappy) ` +
        `on a platform that it has a binary for. What is not compressed can be read without it.`,
      { cause },
    );
  }
}

/**
 * The uncompressed length stated by a compressed block (a varint at its beginning); -1 if so few bytes cannot hold it.
 */
export function rawLengthOf(bytes: Uint8Array): number {
  let length = 0;
  for (let i = 0; i < 5 && i < bytes.length; i++) {
    const byte = bytes[i] as number;
    length += (byte & 0x7f) * 2 ** (7 * i);
    // A copy of at most 64 bytes takes two bytes or more.
    if (byte < 0x80) return length <= 64 * bytes.length ? length : -1;
  }
  return -1;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
}

function plain({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
