import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeDefinition, definitionKey, encodeDefinition } from "../src/indexes/definition.js";
import {
  entriesPrefix,
  entryKey,
  entryRange,
  entryRangeOf,
  indexPrefix,
  MAX_INDEX_ID,
  parseEntryKey,
} from "../src/indexes/entry-key.js";
import { isReserved, RESERVED_PREFIX } from "../src/indexes/reserved.js";
import { isInRange, type RangeOptions, toKeyRange } from "../src/range.js";

// Few different bytes, those of the escape among them: so keys often share a beginning.
const bytes = fc
  .array(fc.constantFrom(0, 1, 2, 0x61, 0xfe, 0xff), { maxLength: 5 })
  .map((array) => new Uint8Array(array));
const id = fc.constantFrom(1, 2, 255, 256, MAX_INDEX_ID);
const compare = (a: Uint8Array, b: Uint8Array) => Math.sign(Buffer.compare(a, b));
const hex = (array: Uint8Array) => Buffer.from(array).toString("hex");

describe("the key of an index entry", () => {
  it("has the bytes that the page says", () => {
    const [indexKey, rowKey] = [new Uint8Array([0x61, 0, 0x62]), new Uint8Array([0x37, 0])];
    expect(hex(entryKey(5, indexKey, rowKey))).toBe(
      "ff6b61796100" + "69" + "00000005" + "6100ff62" + "0000" + "3700",
    );
    expect(hex(entryKey(5, indexKey))).toBe("ff6b61796100" + "69" + "00000005" + "6100ff62" + "0000");
  });

  it("gives back what it was made of", () => {
    fc.assert(
      fc.property(id, bytes, bytes, (id, indexKey, rowKey) => {
        expect(parseEntryKey(entryKey(id, indexKey, rowKey))).toEqual({ id, indexKey, rowKey });
        expect(parseEntryKey(entryKey(id, indexKey))).toEqual({ id, indexKey, rowKey: new Uint8Array(0) });
      }),
    );
  });

  it("orders by index, then as index keys do, then as row keys do", () => {
    fc.assert(
      fc.property(id, id, bytes, bytes, bytes, bytes, (idA, idB, a, b, rowA, rowB) => {
        const expected = Math.sign(idA - idB) || compare(a, b) || compare(rowA, rowB);
        expect(compare(entryKey(idA, a, rowA), entryKey(idB, b, rowB))).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("is in a range just where its index key is", () => {
    const bound = fc.option(bytes, { nil: undefined });
    const bounds = fc.record({ prefix: bound, gt: bound, gte: bound, lt: bound, lte: bound });
    fc.assert(
      fc.property(id, bounds, bytes, bytes, (id, bounds, indexKey, rowKey) => {
        const { prefix, gt, gte, lt, lte } = bounds;
        const isInside =
          (prefix === undefined || compare(indexKey.subarray(0, prefix.length), prefix) === 0) &&
          (gt === undefined || compare(indexKey, gt) > 0) &&
          (gte === undefined || compare(indexKey, gte) >= 0) &&
          (lt === undefined || compare(indexKey, lt) < 0) &&
          (lte === undefined || compare(indexKey, lte) <= 0);
        const range = entryRange(id, toKeyRange(bounds as RangeOptions));
        expect(isInRange(entryKey(id, indexKey, rowKey), range)).toBe(isInside);
        expect(isInRange(entryKey(id, indexKey), range)).toBe(isInside);
        expect(isInRange(entryKey((id % MAX_INDEX_ID) + 1, indexKey), range)).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it("is among those of its index key alone", () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, (wanted, indexKey, rowKey) => {
        const isSame = compare(wanted, indexKey) === 0;
        expect(isInRange(entryKey(7, indexKey, rowKey), entryRangeOf(7, wanted))).toBe(isSame);
      }),
      { numRuns: 500 },
    );
  });

  it("is refused where something else wrote it", () => {
    const good = entryKey(1, new Uint8Array([0x61]));
    const wrong = [
      entriesPrefix(),
      indexPrefix(1),
      good.subarray(0, -1),
      good.subarray(0, -2),
      Buffer.concat([indexPrefix(1), Buffer.from([0x61, 0, 1])]),
      Buffer.from("users:1"),
      new Uint8Array(0),
    ];
    for (const key of wrong)
      expect(() => parseEntryKey(key)).toThrow(expect.objectContaining({ code: "KAYA_CORRUPTION" }));
  });
});

describe("the reserved key space", () => {
  it("has no key that is text", () => {
    for (const text of [
      "",
      "\0",
      "k",
      "\x7f",
      "\x80",
      "\u07ff",
      "\u0800",
      "\uffff",
      "\u{10000}",
      "\u{10ffff}",
      "\xffkaya\0",
    ])
      expect(isReserved(Buffer.from(text))).toBe(false);
    expect(isReserved(new Uint8Array([0xff, 0x6b]))).toBe(false);
    expect(isReserved(RESERVED_PREFIX)).toBe(true);
  });
});

describe("the definition of an index", () => {
  const definition = fc.record(
    {
      prefix: bytes,
      name: fc
        .string({ unit: "grapheme", minLength: 1, maxLength: 8 })
        .filter((name) => !name.includes("\0")),
      id,
      unique: fc.boolean(),
      codec: fc.constantFrom("", "utf8", '"', "ü"),
      version: fc.nat(),
      state: fc.constant("building" as const),
      cursor: bytes,
    },
    { requiredKeys: ["prefix", "name", "id", "unique", "codec", "version", "state"] },
  );

  it("gives back what it was made of", () => {
    fc.assert(
      fc.property(definition, (definition) => {
        const key = definitionKey(definition.prefix, definition.name);
        expect(isReserved(key)).toBe(true);
        expect(decodeDefinition(key, encodeDefinition(definition))).toEqual(definition);
        const { cursor: _, ...rest } = { ...definition, state: "ready" as const };
        expect(decodeDefinition(key, encodeDefinition(rest))).toEqual(rest);
      }),
    );
  });

  const key = definitionKey(Buffer.from("users:"), "byEmail");
  const good = { format: 1, id: 1, unique: true, codec: "utf8", version: 1, state: "ready" };
  const decode =
    (value: unknown, at = key) =>
    () =>
      decodeDefinition(at, Buffer.from(JSON.stringify(value)));

  it("is refused where it is damaged, and says how to go on", () => {
    const wrong = [
      ...Object.keys(good).map((name) => ({ ...good, [name]: undefined })),
      { ...good, id: 0 },
      { ...good, id: MAX_INDEX_ID + 1 },
      { ...good, version: -1 },
      { ...good, state: "done" },
      { ...good, cursor: "61" },
      { ...good, state: "building", cursor: "6" },
      { ...good, format: "1" },
      [],
      null,
    ];
    for (const value of wrong)
      expect(decode(value), JSON.stringify(value)).toThrow(
        expect.objectContaining({
          code: "KAYA_CORRUPTION",
          key,
          message: expect.stringContaining("dropIndex"),
        }),
      );
    expect(() => decodeDefinition(key, Buffer.from("{"))).toThrow(
      expect.objectContaining({ code: "KAYA_CORRUPTION", cause: expect.any(SyntaxError) }),
    );
    const withoutName = key.subarray(0, RESERVED_PREFIX.length + 1);
    expect(decode(good, withoutName)).toThrow(expect.objectContaining({ code: "KAYA_CORRUPTION" }));
    const notUtf8 = Buffer.concat([key, new Uint8Array([0xff])]);
    expect(decode(good, notUtf8)).toThrow(expect.objectContaining({ code: "KAYA_CORRUPTION" }));
  });

  it("is refused as too new where a later version wrote it", () => {
    expect(decode({ ...good, format: 2, state: "paused" })).toThrow(
      expect.objectContaining({ code: "KAYA_UNSUPPORTED_VERSION" }),
    );
  });
});
