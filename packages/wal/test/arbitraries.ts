import fc from "fast-check";
import type { WalOperation, WalPayload, WalRecord } from "../src/index.js";

const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Uint8Array.from(value));
/** From the lower up to, but without, the higher of two keys; every third has no end. */
export const anyRange: fc.Arbitrary<WalOperation> = fc
  .tuple(bytes, fc.option(bytes, { freq: 3 }))
  .filter(([one, other]) => other === null || Buffer.compare(one, other) !== 0)
  .map(([one, other]) => {
    const [start = one, end] = other === null ? [one] : [one, other].sort(Buffer.compare);
    return { type: "deleteRange", start, end };
  });

export const anyTime = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
);

const operation: fc.Arbitrary<WalOperation> = fc.oneof(
  fc.record({ type: fc.constant("put" as const), key: bytes, value: bytes }),
  fc.record({ type: fc.constant("put" as const), key: bytes, value: bytes, expiresAt: anyTime }),
  fc.record({ type: fc.constant("delete" as const), key: bytes }),
  anyRange,
);

export const anyPayload: fc.Arbitrary<WalPayload> = fc.oneof(
  operation,
  fc.constant({ type: "noop" } as const),
  fc
    .array(operation, { minLength: 1, maxLength: 5 })
    .map((operations) => ({ type: "batch" as const, operations })),
);

export const anyRecord: fc.Arbitrary<WalRecord> = fc.record({
  lsn: fc.maxSafeNat(),
  // Room for the sequences of a batch's operations.
  sequence: fc.maxSafeNat().map((sequence) => Math.min(sequence, Number.MAX_SAFE_INTEGER - 4)),
  payload: anyPayload,
});
