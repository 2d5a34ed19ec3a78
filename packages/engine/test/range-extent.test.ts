import fc from "fast-check";
import { expect, it } from "vitest";
import { extentOf, isInRange, toKeyRange } from "../src/range.js";

// Few bytes, short: bounds and keys meet, and are prefixes of each other.
const key = fc
  .array(fc.constantFrom(0, 1, 0x7f, 0xfe, 0xff), { maxLength: 3 })
  .map((bytes) => Uint8Array.from(bytes));
const range = fc.record({ prefix: key, gt: key, gte: key, lt: key, lte: key }, { requiredKeys: [] });

it("an extent holds the keys of its range and no others; where there is none no key is in the range", () => {
  fc.assert(
    fc.property(range, key, (options, one) => {
      const keyRange = toKeyRange(options);
      const extent = extentOf(keyRange);
      const isInside =
        extent !== undefined &&
        Buffer.compare(one, extent.start) >= 0 &&
        (extent.end === undefined || Buffer.compare(one, extent.end) < 0);
      expect(isInside).toBe(isInRange(one, keyRange));
      if (extent?.end !== undefined) expect(Buffer.compare(extent.start, extent.end)).toBeLessThan(0);
    }),
    { numRuns: 5000 },
  );
});
