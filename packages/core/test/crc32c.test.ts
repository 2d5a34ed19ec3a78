import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32c, crc32cInJs, crc32cRange, NATIVE_CRC_MIN_BYTES } from "../src/index.js";

// Not skipped where it cannot be loaded: the build machines must test both implementations.
const native = createRequire(import.meta.url)("@node-rs/crc32") as {
  crc32c(bytes: Uint8Array, initial?: number): number;
};

/** The definition, a bit at a time, and nothing shared with the implementation. */
function reference(bytes: Uint8Array, initial = 0): number {
  let crc = ~initial;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0x82f63b78 & -(crc & 1));
  }
  return ~crc >>> 0;
}

const ascii = (text: string) => new TextEncoder().encode(text);

// Around the cross-over, where a wrong branch would show, and around the 16-byte step of the JavaScript loop.
const someBytes = fc.oneof(
  fc.uint8Array({ maxLength: 50 }),
  fc.uint8Array({ minLength: NATIVE_CRC_MIN_BYTES - 20, maxLength: NATIVE_CRC_MIN_BYTES + 20, size: "max" }),
);
const someCrc = fc.nat(0xffff_ffff);

describe("known values", () => {
  // The check value of the CRC catalogue, then RFC 3720, B.4.
  test.each([
    ["nothing", new Uint8Array(0), 0],
    ["123456789", ascii("123456789"), 0xe3069283],
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 times 0xff", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["0 to 31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["31 to 0", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ])("%s", (_, bytes, crc) => {
    expect(crc32c(bytes)).toBe(crc);
    expect(reference(bytes)).toBe(crc);
  });
});

describe("crc32c", () => {
  test("agrees with the bitwise definition, from any initial value", () => {
    fc.assert(
      fc.property(someBytes, someCrc, (bytes, initial) => {
        expect(crc32c(bytes)).toBe(reference(bytes));
        expect(crc32c(bytes, initial)).toBe(reference(bytes, initial));
      }),
    );
  });

  test("of two parts, chained, is that of the whole", () => {
    fc.assert(
      fc.property(someBytes, someBytes, (a, b) => {
        expect(crc32c(b, crc32c(a))).toBe(crc32c(Buffer.concat([a, b])));
      }),
    );
  });

  test("is unsigned, and takes a signed initial value for the same bits", () => {
    const a = ascii("123456789");
    const b = new Uint8Array(NATIVE_CRC_MIN_BYTES);
    for (const next of [a, b]) {
      expect(crc32c(next, crc32c(a) | 0)).toBe(crc32c(next, crc32c(a)));
      expect(crc32c(next, crc32c(a))).toBeGreaterThanOrEqual(0);
    }
  });

  test("takes a Buffer, and a view on shared memory", () => {
    const bytes = new Uint8Array(2 * NATIVE_CRC_MIN_BYTES).fill(7);
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    expect(crc32c(Buffer.from(bytes))).toBe(reference(bytes));
    expect(crc32c(shared)).toBe(reference(bytes));
  });
});

describe("the two implementations", () => {
  test("give the same bits at every length around the cross-over", () => {
    const bytes = Uint8Array.from({ length: NATIVE_CRC_MIN_BYTES + 40 }, (_, i) => (i * 151) ^ (i >> 3));
    for (let length = NATIVE_CRC_MIN_BYTES - 40; length <= bytes.length; length++) {
      expect(crc32cInJs(bytes, 0, length, 0) >>> 0).toBe(native.crc32c(bytes.subarray(0, length)));
    }
  });

  test("give the same bits at any offset of a larger buffer", () => {
    fc.assert(
      fc.property(fc.nat(15), someBytes, fc.nat(15), someCrc, (before, bytes, behind, initial) => {
        // Filled, so that reading beside the range would show.
        const arena = new Uint8Array(before + bytes.length + behind).fill(0xa5);
        arena.set(bytes, before);
        const end = before + bytes.length;
        const expected = native.crc32c(bytes, initial);
        expect(crc32cInJs(arena, before, end, initial) >>> 0).toBe(expected);
        expect(native.crc32c(arena.subarray(before, end), initial)).toBe(expected);
        expect(crc32c(arena.subarray(before, end), initial)).toBe(expected);
      }),
    );
  });
});

describe("crc32cRange", () => {
  test("is signed on both sides of the cross-over: what DataView.getInt32 reads", () => {
    fc.assert(
      fc.property(fc.nat(15), someBytes, (offset, bytes) => {
        const arena = new Uint8Array(offset + bytes.length);
        arena.set(bytes, offset);
        expect(crc32cRange(arena, offset, arena.length)).toBe(reference(bytes) | 0);
      }),
    );
  });

  test("of an empty range hands the initial value on", () => {
    expect(crc32cRange(ascii("abc"), 2, 2)).toBe(0);
    expect(crc32cRange(ascii("abc"), 2, 2, -5)).toBe(-5);
  });
});
