import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TupleElement, tuple } from "../../src/index.js";
import { anyElement, compareTuples, pairsOf, withoutNegativeZero } from "../support/tuples.js";

const { encode, decode, encodePrefix } = tuple();

const hex = (...elements: TupleElement[]) => Buffer.from(encode(elements)).toString("hex");

describe("keys that are tuples", () => {
  it("come back as they were", () => {
    fc.assert(
      fc.property(fc.array(anyElement), (elements) => {
        expect(decode(encode(elements))).toStrictEqual(withoutNegativeZero(elements));
      }),
      { numRuns: 2000 },
    );
  });

  it("order element by element, and by type", () => {
    fc.assert(
      fc.property(pairsOf(anyElement), ([a, b]) => {
        expect(Math.sign(Buffer.compare(encode(a), encode(b)))).toBe(compareTuples(a, b));
      }),
      { numRuns: 3000 },
    );
  });

  it("begin with the bytes of their first elements, and with those of no others", () => {
    fc.assert(
      fc.property(pairsOf(anyElement), fc.nat(4), ([a, b], length) => {
        const prefix = b.slice(0, length);
        const begins = Buffer.from(encode(a))
          .subarray(0, encodePrefix(prefix).length)
          .equals(encodePrefix(prefix));
        expect(begins).toBe(
          prefix.length <= a.length && compareTuples(a.slice(0, prefix.length), prefix) === 0,
        );
      }),
      { numRuns: 2000 },
    );
  });

  it("are bytes that will not change: they are on disks", () => {
    expect(hex()).toBe("");
    expect(hex(null, false, true)).toBe("102021");
    expect(hex(1, -1)).toBe("30bff0000000000000" + "30400fffffffffffff");
    expect(hex(0, -0)).toBe("308000000000000000".repeat(2));
    expect(hex(Infinity, -Infinity)).toBe("30fff0000000000000" + "30000fffffffffffff");
    expect(hex(0n, 258n, -258n)).toBe("390000" + "3900020102" + "38fffdfefd");
    expect(hex(new Date(1))).toBe("40bff0000000000000");
    expect(hex("a\0\x01é", "")).toBe("506101010102c3a900" + "5000");
    expect(hex(new Uint8Array([0, 1, 2]))).toBe("600101010202" + "00");
    expect(hex(["a", []], null)).toBe("70" + "506100" + "7000" + "00" + "10");
  });

  it("take Dates, bytes and arrays of another realm", () => {
    const foreign = runInNewContext("[new Date(5), new Uint8Array([1]), ['a']]") as TupleElement[];
    expect(decode(encode(foreign))).toStrictEqual([new Date(5), new Uint8Array([1]), ["a"]]);
  });

  it("refuse what has no place in their order, or cannot come back", () => {
    const refused = [
      NaN,
      new Date(NaN),
      undefined,
      () => 1,
      Symbol("a"),
      {},
      new Map(),
      "\ud800",
      [undefined],
    ];
    for (const element of refused)
      expect(() => encode([element as TupleElement])).toThrow(
        expect.objectContaining({ code: "KAYA_INVALID_ARGUMENT" }),
      );
    expect(() => encode("a" as unknown as TupleElement[])).toThrow("must be an array");
    const itself: TupleElement[] = [];
    itself.push(itself);
    expect(() => encode(itself)).toThrow("more than 32 deep");
  });

  it("are known from bytes that are none, so that no two keys are one tuple", () => {
    const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
    const broken = [
      "00",
      "01",
      "ff",
      "30",
      "30bff00000000000",
      "5061",
      "50ff00",
      "50010300",
      "500100",
      "70",
      "7010",
    ];
    // -0, NaN, a Date that is none, bigints with a zero too many and -0n.
    broken.push(
      "307fffffffffffffff",
      "30fff8000000000000",
      "40fff0000000000000",
      "39000100",
      "38ffff",
      "3900",
    );
    for (const each of broken)
      expect(() => decode(bytes(each)), each).toThrow(/the bytes are no tuple|not valid/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (any) => {
        let elements: readonly TupleElement[];
        try {
          elements = decode(any);
        } catch {
          return;
        }
        expect(Buffer.from(encode(elements))).toStrictEqual(Buffer.from(any));
      }),
      { numRuns: 2000 },
    );
  });
});
