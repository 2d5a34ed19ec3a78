import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RangeTombstone } from "../src/index.js";
import {
  coveringSequence,
  decodeRangeTombstones,
  encodeRangeTombstones,
  fragment,
} from "../src/table/range-tombstones.js";
import { bytes, compare, openTable, put, writeTable } from "./support.js";

const anyKey = fc
  .array(fc.constantFrom(0, 0x61, 0x62, 0xff), { maxLength: 3 })
  .map((key) => Uint8Array.from(key));
const anyTombstone: fc.Arbitrary<RangeTombstone> = fc
  .record({
    start: anyKey,
    end: fc.option(anyKey, { nil: undefined }),
    sequence: fc.integer({ min: 1, max: 12 }),
  })
  .filter(({ start, end }) => end === undefined || compare(start, end) < 0);

const covers = ({ start, end }: RangeTombstone, key: Uint8Array) =>
  compare(start, key) <= 0 && (end === undefined || compare(key, end) < 0);

describe("range tombstones (T8)", () => {
  it("in fragments cover each key with the newest sequence that covers it, do not overlap, and come back from the file", () => {
    const property = fc.property(
      fc.array(anyTombstone, { maxLength: 12 }),
      fc.array(anyKey, { minLength: 1, maxLength: 20 }),
      (list, keys) => {
        const fragments = fragment(list);
        for (const key of keys) {
          const expected = Math.max(
            0,
            ...list.filter((each) => covers(each, key)).map(({ sequence }) => sequence),
          );
          expect(coveringSequence(fragments, key)).toBe(expected);
        }
        for (const [i, { start }] of fragments.entries()) {
          const before = fragments[i - 1];
          if (before === undefined) continue;
          const order = compare(before.end as Uint8Array, start);
          expect(order < 0 || (order === 0 && before.sequence !== fragments[i]?.sequence)).toBe(true);
        }
        expect(decodeRangeTombstones(encodeRangeTombstones(fragments), "t", 0)).toEqual(fragments);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it("that are damaged are refused, whatever a byte or a length becomes", () => {
    const whole = encodeRangeTombstones(
      fragment([
        { start: bytes("a"), end: bytes("c"), sequence: 2 },
        { start: bytes("b"), end: undefined, sequence: 1 },
      ]),
    );
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeRangeTombstones(whole.subarray(0, length), "t", 3), `${length}`).toThrow(
        "t is damaged at offset 3",
      );
    for (let at = 0; at < whole.length; at++) {
      const other = whole.slice();
      other[at] = 0xff;
      try {
        decodeRangeTombstones(other, "t", 3);
      } catch (error) {
        expect(String(error)).toContain("t is damaged at offset 3");
      }
    }
  });

  it("many of them are made and asked in little time", async () => {
    const key = (i: number) => bytes(String(i).padStart(6, "0"));
    const rangeTombstones = Array.from({ length: 20_000 }, (_, i) => ({
      start: key(i),
      end: key(i + 5000),
      sequence: 1 + ((i * 7919) % 20_011),
    }));
    const { disk, summary } = await writeTable({ entries: [put("x", "y")], rangeTombstones });
    expect(summary.rangeTombstones).toBeGreaterThan(10);
    const table = await openTable(disk);
    for (const at of [0, 1, 777, 19_999, 24_998, 24_999]) {
      const expected = Math.max(
        0,
        ...rangeTombstones.filter((each) => covers(each, key(at))).map(({ sequence }) => sequence),
      );
      expect(table.coveringSequence(key(at))).toBe(expected);
    }
  });
});
