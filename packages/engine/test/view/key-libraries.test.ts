import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TupleElement, tuple } from "../../src/index.js";
import {
  anyDate,
  anyNumber,
  anyText,
  compareTuples,
  pairsOf,
  withoutNegativeZero,
} from "../support/tuples.js";

// The facts of TUPLES.md: what each library of this field keeps of tuples, and where it does not.

interface Library {
  encode(elements: readonly TupleElement[]): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

const require = createRequire(import.meta.url);
const orderedBinary = require("ordered-binary") as {
  toBufferKey(key: unknown): Buffer;
  fromBufferKey(key: Buffer): unknown;
};
const charwise = require("charwise") as { encode(key: unknown): string; decode(key: string): unknown };
const fdbTuple = require("fdb-tuple") as { pack(key: unknown): Buffer; unpack(key: Buffer): unknown };
const bytewise = require("bytewise") as { encode(key: unknown): Buffer; decode(key: Buffer): unknown };

const LIBRARIES: Record<string, Library> = {
  kaya: tuple(),
  "ordered-binary": {
    encode: (elements) => Uint8Array.from(orderedBinary.toBufferKey(elements)),
    // It reads a few bytes behind the key.
    decode: (bytes) =>
      orderedBinary.fromBufferKey(Buffer.concat([bytes, Buffer.alloc(16)]).subarray(0, bytes.length)),
  },
  charwise: {
    encode: (elements) => Buffer.from(charwise.encode(elements)),
    decode: (bytes) => charwise.decode(Buffer.from(bytes).toString()),
  },
  "fdb-tuple": {
    encode: (elements) => fdbTuple.pack(elements),
    decode: (bytes) => fdbTuple.unpack(Buffer.from(bytes)),
  },
  bytewise: {
    encode: (elements) => bytewise.encode(elements),
    decode: (bytes) => bytewise.decode(Buffer.from(bytes)),
  },
};

const KINDS: Record<string, fc.Arbitrary<TupleElement>> = {
  "null and booleans": fc.constantFrom(null, true, false),
  // Not -0: what is equal is one key.
  numbers: anyNumber.map((number) => (number === 0 ? 0 : number)),
  "short text": fc.string({ unit: fc.constantFrom("a", "b", "é", "😀"), maxLength: 4 }),
  "any text": anyText,
  Dates: anyDate,
  "nested tuples": fc.array(fc.constantFrom("a", 1, 2), { maxLength: 2 }),
  bigints: fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
};

// For each kind whether tuples of two of it come back, and whether they order.
const NEITHER = "does not come back, does not order";
const MEASURED: Record<string, Record<string, string>> = {
  "ordered-binary": {
    "any text": "does not come back, orders", // 0x00 in text of more than 63 characters ends it
    Dates: NEITHER,
    "nested tuples": NEITHER, // they are flattened
    bigints: "does not come back, orders", // as numbers, where they are small
  },
  charwise: {
    "any text": NEITHER, // 0x00 and 0x01
    Dates: NEITHER,
    bigints: NEITHER,
  },
  "fdb-tuple": {
    numbers: "comes back, does not order", // whole ones come before all others
    Dates: NEITHER,
    "nested tuples": "comes back, does not order", // before text and numbers, but not by the types of this order
    bigints: "does not come back, orders", // as numbers, where they are small
  },
  bytewise: { bigints: NEITHER },
};

describe("libraries for keys", () => {
  for (const [name, library] of Object.entries(LIBRARIES)) {
    for (const [kind, element] of Object.entries(KINDS)) {
      it(`${name}: ${kind}`, () => {
        const expected = MEASURED[name]?.[kind] ?? "comes back, orders";
        expect(`${comesBack(library, element)}, ${orders(library, element)}`).toBe(expected);
      });
    }
  }
});

function comesBack({ encode, decode }: Library, element: fc.Arbitrary<TupleElement>): string {
  // Two elements: of one or none some make no array again.
  const two = fc.array(element, { minLength: 2, maxLength: 2 });
  const same = fc.property(two, (elements) => {
    expect(decode(encode(elements))).toStrictEqual(withoutNegativeZero(elements));
  });
  return fc.check(same, { numRuns: 200, seed: 1 }).failed ? "does not come back" : "comes back";
}

function orders({ encode }: Library, element: fc.Arbitrary<TupleElement>): string {
  const ordered = fc.property(pairsOf(element), ([a, b]) => {
    expect(Math.sign(Buffer.compare(encode(a), encode(b)))).toBe(compareTuples(a, b));
  });
  return fc.check(ordered, { numRuns: 400, seed: 1 }).failed ? "does not order" : "orders";
}
