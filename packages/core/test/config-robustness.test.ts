import fc from "fast-check";
import { expect, test } from "vitest";
import { KayaError, resolveEngineConfig, resolveWalConfig } from "../src/index.js";

const anything = fc.anything({
  withBigInt: true,
  withNullPrototype: true,
  withMap: true,
  withSet: true,
  withDate: true,
});

/** An object with some of `keys`, each mostly with a value that makes sense, else with anything at all. */
function optionsLike(values: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> {
  const arbitraries = Object.entries(values).map(([key, value]) => [
    key,
    fc.oneof({ weight: 12, arbitrary: value }, { weight: 1, arbitrary: anything }),
  ]);
  return fc.record(Object.fromEntries(arbitraries), { requiredKeys: [] });
}

const bytes = fc.integer({ min: 40, max: 1000 });
const walLike = optionsLike({
  segmentMaxBytes: bytes,
  maxRecordBytes: bytes,
  maxBatchBytes: bytes,
  preallocateBytes: bytes,
  recovery: fc.constantFrom("tail", "prefix", "absolute"),
});
const engineLike = optionsLike({
  dataDir: fc.string({ minLength: 1 }),
  durability: fc.constantFrom("strict", "relaxed"),
  wal: walLike,
  limits: optionsLike({ maxKeyBytes: bytes, maxValueBytes: bytes }),
  memory: optionsLike({ memtableBytes: fc.integer({ min: 1024, max: 2 ** 34 }), cacheBytes: fc.nat() }),
  compression: fc.constantFrom("none", "snappy"),
  tables: optionsLike({
    autoFlush: fc.boolean(),
    tableBytes: fc.integer({ min: 1, max: 2 ** 30 }),
    level0Tables: fc.integer({ min: 1, max: 20 }),
    level0Stop: fc.integer({ min: 1, max: 20 }),
  }),
  changes: optionsLike({ maxKeptLogBytes: fc.nat() }),
  allowForeignFiles: fc.boolean(),
  disableLocking: fc.boolean(),
});

type Resolve = (given?: object) => object;

test.each<[string, Resolve, fc.Arbitrary<unknown>]>([
  ["resolveWalConfig", resolveWalConfig, walLike],
  ["resolveEngineConfig", resolveEngineConfig, engineLike],
])(
  "%s either resolves, to what resolves to itself, or throws KAYA_INVALID_ARGUMENT",
  (_, resolve, almost) => {
    const outcomes = { resolved: 0, refused: 0 };
    fc.assert(
      fc.property(fc.oneof(anything, almost, almost), (given) => {
        try {
          const config = resolve(given as object);
          expect(resolve(config)).toEqual(config);
          outcomes.resolved++;
        } catch (error) {
          if (!KayaError.is(error, "KAYA_INVALID_ARGUMENT")) throw error;
          outcomes.refused++;
        }
      }),
      { numRuns: 1000 },
    );
    // Else the property would say little.
    expect(outcomes.resolved).toBeGreaterThan(50);
    expect(outcomes.refused).toBeGreaterThan(50);
  },
);
