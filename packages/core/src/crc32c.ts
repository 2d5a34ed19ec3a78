import { checkBytes } from "./bytes.js";

/**
 * CRC-32C (Castagnoli), reflected polynomial 0x82f63b78. Short inputs go through slice-by-16 tables in JavaScript,
 * long ones through the native `@node-rs/crc32`: the native call has a fixed cost (measured in the README). Both give the same bits.
 */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 16;

/** Inputs of at least this many bytes go to the native implementation, where there is one. */
export const NATIVE_CRC_MIN_BYTES = 384;

const TABLES = buildTables();

function buildTables(): Int32Array {
  const tables = new Int32Array(256 * SLICES);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const previous = tables[i - 256] as number;
    tables[i] = (previous >>> 8) ^ (tables[previous & 0xff] as number);
  }
  return tables;
}

type NativeCrc32c = (bytes: Uint8Array, initial?: number) => number;

/**
 * Optional at run time: without a prebuilt binary, or in a bundle without this package beside it, JavaScript computes everything. Bundlers
 * do not see this `require` (webpack knows an imported `createRequire`), so they need no setting for a native module. `import.meta` is
 * empty in CommonJS.
 */
function loadNative(): NativeCrc32c | undefined {
  try {
    const here = import.meta.filename ?? __filename;
    const native = process.getBuiltinModule("node:module").createRequire(here)("@node-rs/crc32") as {
      crc32c: NativeCrc32c;
    };
    return native.crc32c;
  } catch {
    return undefined;
  }
}

const native = loadNative();

/**
 * CRC-32C of `bytes`, as an unsigned 32-bit number. `initial` is the CRC of what came before, so that
 * `crc32c(b, crc32c(a))` is the CRC of a followed by b.
 * @throws KayaError KAYA_INVALID_ARGUMENT for what is no Uint8Array
 */
export function crc32c(bytes: Uint8Array, initial = 0): number {
  checkBytes(bytes, "what a checksum is taken of");
  return crc32cRange(bytes, 0, bytes.length, initial) >>> 0;
}

/**
 * CRC-32C of `bytes[start, end)` as a *signed* 32-bit number: what `DataView.getInt32` reads. The hot paths use it,
 * because an unsigned result above 2^30 would be allocated on the heap at every call.
 */
export function crc32cRange(bytes: Uint8Array, start: number, end: number, initial = 0): number {
  if (end - start >= NATIVE_CRC_MIN_BYTES && native !== undefined) {
    return native(bytes.subarray(start, end), initial >>> 0) | 0;
  }
  return crc32cInJs(bytes, start, end, initial);
}

/** The table-driven implementation alone; exported for the tests and the bench that compare the two. */
export function crc32cInJs(bytes: Uint8Array, start: number, end: number, initial: number): number {
  const t = TABLES;
  let crc = ~initial;
  let i = start;
  // The rest behind the blocks of 16 goes in steps of 8 and 4: that is most of a record's header.
  // Every index is below bytes.length and every table index below 4096, so the `as number` hold.
  for (const last = end - 16; i <= last; i += 16) {
    crc =
      (t[3840 + ((bytes[i] as number) ^ (crc & 0xff))] as number) ^
      (t[3584 + ((bytes[i + 1] as number) ^ ((crc >>> 8) & 0xff))] as number) ^
      (t[3328 + ((bytes[i + 2] as number) ^ ((crc >>> 16) & 0xff))] as number) ^
      (t[3072 + ((bytes[i + 3] as number) ^ (crc >>> 24))] as number) ^
      (t[2816 + (bytes[i + 4] as number)] as number) ^
      (t[2560 + (bytes[i + 5] as number)] as number) ^
      (t[2304 + (bytes[i + 6] as number)] as number) ^
      (t[2048 + (bytes[i + 7] as number)] as number) ^
      (t[1792 + (bytes[i + 8] as number)] as number) ^
      (t[1536 + (bytes[i + 9] as number)] as number) ^
      (t[1280 + (bytes[i + 10] as number)] as number) ^
      (t[1024 + (bytes[i + 11] as number)] as number) ^
      (t[768 + (bytes[i + 12] as number)] as number) ^
      (t[512 + (bytes[i + 13] as number)] as number) ^
      (t[256 + (bytes[i + 14] as number)] as number) ^
      (t[bytes[i + 15] as number] as number);
  }
  if (end - i >= 8) {
    crc =
      (t[1792 + ((bytes[i] as number) ^ (crc & 0xff))] as number) ^
      (t[1536 + ((bytes[i + 1] as number) ^ ((crc >>> 8) & 0xff))] as number) ^
      (t[1280 + ((bytes[i + 2] as number) ^ ((crc >>> 16) & 0xff))] as number) ^
      (t[1024 + ((bytes[i + 3] as number) ^ (crc >>> 24))] as number) ^
      (t[768 + (bytes[i + 4] as number)] as number) ^
      (t[512 + (bytes[i + 5] as number)] as number) ^
      (t[256 + (bytes[i + 6] as number)] as number) ^
      (t[bytes[i + 7] as number] as number);
    i += 8;
  }
  if (end - i >= 4) {
    crc =
      (t[768 + ((bytes[i] as number) ^ (crc & 0xff))] as number) ^
      (t[512 + ((bytes[i + 1] as number) ^ ((crc >>> 8) & 0xff))] as number) ^
      (t[256 + ((bytes[i + 2] as number) ^ ((crc >>> 16) & 0xff))] as number) ^
      (t[(bytes[i + 3] as number) ^ (crc >>> 24)] as number);
    i += 4;
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[i] as number)) & 0xff] as number);
  return ~crc;
}
