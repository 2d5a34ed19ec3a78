import { Random } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXPIRING, PUT, TOMBSTONE } from "../src/index.js";
import { codecFor, rawLengthOf } from "../src/table/compression.js";
import { DataBlock, EntryPlace } from "../src/table/data-block.js";
import { DataBlockBuilder } from "../src/table/data-block-builder.js";
import { Encoding } from "../src/table/format.js";
import { IndexBlock, IndexBlockBuilder, separatorOf } from "../src/table/index-block.js";
import { KeyHash } from "../src/table/key-hash.js";
import { SparseList } from "../src/table/sparse-list.js";
import { MAX_VARINT_BYTES, VarintReader, varintLength, writeVarint } from "../src/table/varint.js";
import { bytes, codeOf, compare, type Entry, expiring, put, SEED, sorted, writeTable } from "./support.js";

const anyKey = fc
  .array(fc.constantFrom(0, 1, 0x61, 0xfe, 0xff), { maxLength: 6 })
  .map((key) => Uint8Array.from(key));

describe("a varint", () => {
  it("comes back, has the length that was said, and ends where it must", () => {
    const buffer = new Uint8Array(20);
    const reader = new VarintReader();
    const property = fc.property(fc.oneof(fc.maxSafeNat(), fc.nat(70_000)), (value) => {
      const end = writeVarint(buffer, 3, value);
      expect(end).toBe(3 + varintLength(value));
      expect(end - 3).toBeLessThanOrEqual(MAX_VARINT_BYTES);
      expect([reader.read(buffer, 3, 20), reader.value]).toEqual([end, value]);
      reader.read(buffer, 3, end - 1);
      expect(reader.value).toBe(-1);
    });
    fc.assert(property, { numRuns: 1000 });
    reader.read(new Uint8Array(20).fill(0xff), 0, 20);
    expect(reader.value).toBe(-1);
  });
});

describe("a separator", () => {
  it("is not less than the key before it, less than the one behind it, and no longer than the one before", () => {
    const property = fc.property(anyKey, anyKey, (a, b) => {
      fc.pre(compare(a, b) !== 0);
      const [last, next] = compare(a, b) < 0 ? [a, b] : [b, a];
      const separator = separatorOf(last, next);
      expect(compare(last, separator)).toBeLessThanOrEqual(0);
      expect(compare(separator, next)).toBeLessThan(0);
      expect(separator.length).toBeLessThanOrEqual(last.length);
    });
    fc.assert(property, { numRuns: 2000 });
    expect(separatorOf(bytes("abcdef"), bytes("abq"))).toEqual(bytes("abd"));
  });
});

describe("an index block", () => {
  it("finds the first separator that is not less than a key", () => {
    const property = fc.property(
      fc.array(anyKey, { minLength: 1, maxLength: 40 }),
      fc.array(anyKey, { minLength: 1, maxLength: 40 }),
      (list, keys) => {
        const separators = [...new Map(list.map((key) => [key.join(), key])).values()].sort(compare);
        const builder = new IndexBlockBuilder();
        for (const [i, separator] of separators.entries())
          builder.add(separator, { offset: 100 * i + (i > 3 ? 7 : 0), length: 95 - i }, i + 1);
        const index = new IndexBlock(builder.finish(), 1e6, "t", 0);
        for (const [i, separator] of separators.entries()) {
          expect([index.offsetAt(i), index.lengthAt(i), index.blocksAt(i)]).toEqual([
            100 * i + (i > 3 ? 7 : 0),
            95 - i,
            i + 1,
          ]);
          expect(index.separatorAt(i)).toEqual(separator);
        }
        for (const key of keys) {
          const expected = separators.findIndex((separator) => compare(separator, key) >= 0);
          expect(index.search(key)).toBe(expected === -1 ? separators.length : expected);
        }
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it("that is damaged is refused, or has other separators: it never reads past its end, and places stay within the file", () => {
    const builder = new IndexBlockBuilder();
    for (let i = 0; i < 5; i++) builder.add(bytes(`key${i}`), { offset: 100 * i, length: 95 }, 1);
    const whole = builder.finish();
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const other = whole.slice();
        other[at] = value;
        try {
          const index = new IndexBlock(other, 500, "t", 9);
          for (let i = 0; i < index.count; i++) expect(index.endAt(i)).toBeLessThanOrEqual(500);
        } catch (error) {
          expect(String(error)).toContain("t is damaged at offset 9");
        }
      }
    }
  });
});

describe("a data block with bytes that no writer writes (T6)", () => {
  it("of version 1 has no entry that expires", async () => {
    const { bytes: file } = await writeTable({ entries: [put("a", "1"), expiring("b", "2", 1000)] });
    const block = file.slice(0, lengthOfFirstBlock(file));
    const placeIn = (version: number) => {
      const place = new EntryPlace();
      const read = new DataBlock(block, { path: "t", offset: 0, version });
      read.decode(read.decode(read.restartAt(0), place), place);
      return place;
    };
    expect(placeIn(2)).toMatchObject({ kind: EXPIRING, expiresAt: 1000 });
    expect(() => placeIn(1)).toThrow("a tombstone with a value");
  });

  it("throws KAYA_CORRUPTION or gives some entry: it never reads past its end, and always ends", async () => {
    const entries = Array.from({ length: 40 }, (_, i) =>
      i % 3 === 0
        ? expiring(`key${String(i).padStart(3, "0")}`, `value ${i}`, 1 + i * 10 ** 12, i * 1000)
        : put(`key${String(i).padStart(3, "0")}`, `value ${i}`, i * 1000),
    );
    const { bytes: file } = await writeTable({ entries }, { blockBytes: 4096 });
    const length = lengthOfFirstBlock(file);
    const whole = file.slice(0, length);
    const place = new EntryPlace();
    const find = (block: DataBlock, key: Uint8Array) => {
      const hash = new KeyHash(SEED);
      hash.update(key);
      return block.find(key, hash.first, hash.second, place);
    };
    expect(find(new DataBlock(whole, { path: "t", offset: 0, version: 2 }), bytes("key007"))).toBe(true);
    for (let at = 0; at < length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const other = whole.slice();
        other[at] = value;
        try {
          const read = new DataBlock(other, { path: "t", offset: 0, version: 2 });
          for (const key of ["", "key007", "key039", "zzz"].map(bytes)) {
            if (find(read, key)) {
              expect(place.valueEnd).toBeLessThanOrEqual(length);
              expect(Number.isSafeInteger(place.sequence)).toBe(true);
              expect(place.valueStart).toBeLessThanOrEqual(place.valueEnd);
              if (place.kind === EXPIRING) expect(place.expiresAt).toBeGreaterThan(0);
            }
            expect(read.lowerBound(key)).toBeLessThanOrEqual(read.count);
            expect(read.lastBefore(key, true)).toBeLessThan(read.count);
          }
        } catch (error) {
          expect(String(error)).toContain("t is damaged at offset 0");
        }
      }
    }
  });

  it("whose slots are all taken ends the search for a key that is not there", async () => {
    const { bytes: file } = await writeTable({ entries: [put("a", "1"), put("b", "2")] });
    const whole = file.slice(0, lengthOfFirstBlock(file));
    const tail = whole.length - 16;
    const slots = whole.subarray(tail - 8 - 9, tail - 8); // three of them
    const place = new EntryPlace();
    for (let tag = 1; tag < 256; tag++) {
      for (const at of [0, 3, 6]) slots.set([tag, 0, 0], at);
      const block = new DataBlock(whole, { path: "t", offset: 0, version: 2 });
      expect(block.find(bytes("c"), 7, tag, place)).toBe(false);
      expect(block.find(bytes("a"), 7, tag, place)).toBe(true);
    }
  });
});

describe("a data block's builder", () => {
  const hash = new KeyHash(SEED);

  /** The block, and the length that was foretold for each entry. */
  function build(entries: readonly Entry[]): { block: DataBlock; foretold: number } {
    const builder = new DataBlockBuilder(512);
    let foretold = 0;
    for (const { key, kind, sequence, value, expiresAt = 0 } of entries) {
      foretold = builder.lengthWith(key, kind, sequence, value, expiresAt);
      hash.update(key);
      builder.add(key, kind, sequence, value, hash.first, hash.second, expiresAt);
    }
    return { block: new DataBlock(builder.finish().slice(), { path: "t", offset: 0, version: 2 }), foretold };
  }

  it("lays out what was added, whatever keys have in common, within the length that it foretold (T10)", () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 6 }),
      fc.nat(3).map((n) => "long".repeat(50 * n)),
    );
    const entry = fc.record({
      key: fc.tuple(text, text).map(([a, b]) => bytes(a + b)),
      kind: fc.constantFrom(PUT, TOMBSTONE, EXPIRING),
      expiresAt: fc.oneof(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      ),
      sequence: fc.oneof(fc.nat(300), fc.maxSafeNat()),
      value: fc.oneof(text, fc.constant("v".repeat(70_000))).map(bytes),
    });
    const property = fc.property(text, fc.array(entry, { minLength: 1, maxLength: 60 }), (prefix, given) => {
      const entries = sorted(
        given.map(({ key, kind, sequence, expiresAt, value }) => ({
          key: Buffer.concat([bytes(prefix), key]),
          kind,
          sequence,
          expiresAt,
          value: kind === TOMBSTONE ? new Uint8Array(0) : value,
        })),
      );
      const { block, foretold } = build(entries);
      expect(block.bytes.length).toBeLessThanOrEqual(foretold);
      expect(block.takenSlots).toBe(entries.length);
      const place = new EntryPlace();
      for (const [i, { key, kind, sequence, expiresAt, value }] of entries.entries()) {
        hash.update(key);
        expect(block.find(key, hash.first, hash.second, place)).toBe(true);
        expect([place.kind, place.sequence]).toEqual([kind, sequence]);
        if (kind === EXPIRING) expect(place.expiresAt).toBe(expiresAt);
        expect(compare(block.bytes.subarray(place.valueStart, place.valueEnd), value)).toBe(0);
        expect([block.lowerBound(key), block.lastBefore(key, true), block.lastBefore(key, false)]).toEqual([
          i,
          i,
          i - 1,
        ]);
        const behind = Buffer.concat([key, Uint8Array.of(0)]);
        expect(block.lowerBound(behind)).toBe(i + 1);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });
});

/** From the footer's properties place: one data block, filter, index, properties. */
function lengthOfFirstBlock(file: Uint8Array): number {
  const end = new DataView(file.buffer, file.byteOffset);
  const length = end.getUint16(file.length - 12, true);
  const footer = new DataView(file.buffer, file.byteOffset + file.length - length);
  return Number(footer.getBigUint64(40, true)) - 5;
}

describe("a sparse list", () => {
  it("is a list with holes", () => {
    const list = new SparseList<string>();
    for (const number of [0, 255, 256, 70_000]) list.set(number, `v${number}`);
    expect([list.get(0), list.get(1), list.get(256), list.get(70_000), list.get(1e6)]).toEqual([
      "v0",
      undefined,
      "v256",
      "v70000",
      undefined,
    ]);
    list.set(0, "w");
    list.delete(256);
    list.delete(3);
    expect(list.values()).toEqual(["w", "v255", "v70000"]);
    list.delete(0);
    list.delete(255);
    expect(list.get(255)).toBeUndefined();
  });
});

describe("compression", () => {
  it("whose library is missing is KAYA_IO that says what to do", async () => {
    const missing = () => {
      throw new Error("Cannot find module 'snappy'\nRequire stack: …");
    };
    expect(await codeOf(() => codecFor(Encoding.Snappy, "reading t needs", missing))).toBe("KAYA_IO");
    expect(() => codecFor(Encoding.Snappy, "reading t needs", missing)).toThrow(
      /^reading t needs the package "snappy".*Cannot find module 'snappy'. Install it \(npm install snappy\)/,
    );
  });

  it("of a block that does not shrink by an eighth is left alone", async () => {
    const numbers = new Random(4);
    const random = Uint8Array.from({ length: 3000 }, () => numbers.below(256));
    const entries = [{ ...put("a", ""), value: random }];
    const raw = await writeTable({ entries }, { blockBytes: 1024 });
    const tried = await writeTable({ entries }, { blockBytes: 1024, compression: "snappy" });
    expect(tried.summary.storedBytes).toBe(raw.summary.storedBytes);
    const text = { entries: [put("a", "text ".repeat(600))] };
    const small = await writeTable(text, { blockBytes: 1024, compression: "snappy" });
    expect(small.summary.storedBytes).toBeLessThan(500);
    expect(small.summary.rawBytes).toBe(3001);
  });

  it("knows what length a compressed block says, and that some cannot be", () => {
    expect(rawLengthOf(Uint8Array.of(0x90, 0x4e, ...new Array<number>(200).fill(0)))).toBe(10_000);
    expect(rawLengthOf(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f))).toBe(-1);
    expect(rawLengthOf(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x01))).toBe(-1);
    expect(rawLengthOf(new Uint8Array(0))).toBe(-1);
  });
});
