import fc from "fast-check";
import type { TupleElement } from "../../src/index.js";

/** The order that tuples promise, in the most obvious words. */
export function compareTuples(a: readonly TupleElement[], b: readonly TupleElement[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareElements(a[i] as TupleElement, b[i] as TupleElement);
    if (order !== 0) return order;
  }
  return Math.sign(a.length - b.length);
}

function compareElements(a: TupleElement, b: TupleElement): number {
  const byType = Math.sign(rank(a) - rank(b));
  if (byType !== 0) return byType;
  if (Array.isArray(a)) return compareTuples(a, b as readonly TupleElement[]);
  if (typeof a === "string") return compareByCodePoint(a, b as string);
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array);
  if (a === null) return 0;
  const [x, y] = [a.valueOf() as number, (b as number).valueOf()];
  return x < y ? -1 : x > y ? 1 : 0;
}

function rank(element: TupleElement): number {
  if (element === null) return 0;
  if (element instanceof Date) return 4;
  if (element instanceof Uint8Array) return 6;
  return ["boolean", "number", "bigint", "", "string", "", "object"].indexOf(typeof element) + 1;
}

function compareByCodePoint(a: string, b: string): number {
  const [x, y] = [Array.from(a, codePoint), Array.from(b, codePoint)];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return Math.sign(x.length - y.length);
}

const codePoint = (character: string) => character.codePointAt(0) ?? 0;

export const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom(
    "",
    "\0",
    "a",
    "a\0",
    "a\0b",
    "a\x01",
    "a\x01\x01",
    "\x02",
    "\uffff",
    "😀",
    `${"x".repeat(70)}\0y`,
  ),
);

export const anyNumber = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true }),
  fc.constantFrom(0, -0, 0.5, 1, -1, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 1e21, 5e-324, -5e-324),
);

export const anyDate = fc.date({ noInvalidDate: true });

export const anyElement = fc.letrec<{ element: TupleElement; tuple: TupleElement[] }>((tie) => ({
  element: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    anyNumber,
    fc.bigInt({ min: -(2n ** 130n), max: 2n ** 130n }),
    fc.bigInt({ min: -300n, max: 300n }),
    anyDate,
    anyText,
    fc.uint8Array({ maxLength: 4 }),
    tie("tuple"),
  ),
  tuple: fc.array(tie("element"), { maxLength: 3 }),
})).element;

/** Two that are often near to each other. */
export function pairsOf<T>(element: fc.Arbitrary<T>): fc.Arbitrary<[T[], T[]]> {
  const any = fc.array(element, { maxLength: 4 });
  const near = fc.tuple(any, any, any).map(([begin, a, b]): [T[], T[]] => [
    [...begin, ...a],
    [...begin, ...b],
  ]);
  return fc.oneof(fc.tuple(any, any), near);
}

/** What equal keys come back as: they are one key. */
export function withoutNegativeZero(element: TupleElement): TupleElement {
  if (Array.isArray(element)) return (element as readonly TupleElement[]).map(withoutNegativeZero);
  return element === 0 ? 0 : element;
}
