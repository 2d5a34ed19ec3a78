import type { DurabilityMode, Lsn, SequenceNumber } from "@kaya/core";
import type { BatchCondition, BatchOperation, Engine, Expiry, RangeOptions, WriteResult } from "@kaya/engine";
import { encodeRecord, type WalOperation, type WalPayload } from "@kaya/wal";
import { quote, textOfValue, toBytes, toText } from "./bytes.js";
import { type ExpectedCondition, toEngineCondition } from "./conditions.js";
import { type Change, entriesOf, isRange, rangeChange, type Seen } from "./state.js";
import type { StepRange, WriteStep } from "./steps.js";
import { mustHold } from "./violation.js";

/**
 * The changes of a write.
 * @param projected the state after all writes before it
 * @param now the time of the call
 */
export function changesOf(step: WriteStep, projected: () => Seen, now: number): Change[] {
  const until = (lives: number | undefined) => (lives === undefined ? undefined : now + lives);
  switch (step.step) {
    case "put": {
      const value = textOfValue(`${step.id}`, step.length);
      return [{ key: step.key, value, expiresAt: until(step.lives) }];
    }
    case "update":
      return [{ key: step.key, value: textOfValue(`${step.id}`, step.length) }];
    case "delete":
      return [{ key: step.key, value: undefined }];
    case "batch":
      return step.operations.flatMap((operation, i): Change[] => {
        if ("clear" in operation) return given(rangeChange(operation.clear));
        const { key, length, lives } = operation;
        if (length === undefined) return [{ key, value: undefined }];
        return [{ key, value: textOfValue(`${step.id}.${i}`, length), expiresAt: until(lives) }];
      });
    case "clear":
      if (step.range.limit === undefined) return given(rangeChange(step.range));
      return entriesOf(projected(), step.range).map(([key]) => ({ key, value: undefined }));
  }
}

function given(change: Change | undefined): Change[] {
  return change === undefined ? [] : [change];
}

/**
 * Starts the write. Its bytes are overwritten right after the call: the engine must not look at them again.
 * @param now the time of the call
 */
export function startWrite(
  engine: Engine,
  step: WriteStep,
  changes: readonly Change[],
  expected: readonly ExpectedCondition[],
  now: number,
  projected: () => Seen,
): Promise<WriteResult> {
  const options = { durability: step.durability };
  if (step.step === "update") return startUpdate(engine, step, changes, projected);
  if (step.step === "clear") return engine.clear(rangeOf(step.range), options);
  return withBytes(changes, expected, now, (operations, conditions) => {
    const [first] = operations;
    const isBatch = step.step === "batch" || first === undefined;
    return isBatch ? engine.batch(operations, { ...options, conditions }) : startOne(engine, first, options);
  });
}

function startUpdate(
  engine: Engine,
  { key, durability, promised }: Extract<WriteStep, { readonly step: "update" }>,
  [change]: readonly Change[],
  projected: () => Seen,
): Promise<WriteResult> {
  const value = change !== undefined && !isRange(change) ? change.value : undefined;
  const update = (found: Uint8Array | undefined) => {
    const [is, should] = [found && toText(found), projected().get(key)];
    mustHold(
      is === should,
      "wrong-read",
      () => `an update of ${quote(key)} got ${quote(is)}; it was ${quote(should)}`,
    );
    return value === undefined ? undefined : toBytes(value);
  };
  const bytes = toBytes(key);
  const updated = engine.update(bytes, promised ? async (found) => update(found) : update, { durability });
  bytes.fill(0xee);
  return updated;
}

/** The same for a write that is done when its call returns. */
export function writeNow(
  engine: Engine,
  step: WriteStep,
  changes: readonly Change[],
  expected: readonly ExpectedCondition[],
  now: number,
): WriteResult {
  const options = { durability: step.durability };
  return withBytes(changes, expected, now, (operations, conditions) => {
    const [first] = operations;
    if (step.step === "put" && first?.type === "put")
      return engine.putSync(first.key, first.value, { ...options, ...expiryIn(first) });
    if (step.step === "delete" && first?.type === "delete") return engine.deleteSync(first.key, options);
    return engine.batchSync(operations, { ...options, conditions });
  });
}

function withBytes<T>(
  changes: readonly Change[],
  expected: readonly ExpectedCondition[],
  now: number,
  call: (operations: readonly BytesOperation[], conditions: readonly BatchCondition[]) => T,
): T {
  const conditions = expected.map(toEngineCondition);
  const operations = changes.map((change) => toOperation(change, now));
  try {
    return call(operations, conditions);
  } finally {
    for (const condition of conditions) condition.key.fill(0xee);
    for (const operation of operations) {
      const bytes = operation.type === "clear" ? Object.values(operation.range) : Object.values(operation);
      for (const one of bytes) if (one instanceof Uint8Array) one.fill(0xee);
    }
  }
}

function startOne(
  engine: Engine,
  operation: BytesOperation,
  options: { readonly durability: DurabilityMode },
): Promise<WriteResult> {
  switch (operation.type) {
    case "put":
      return engine.put(operation.key, operation.value, { ...options, ...expiryIn(operation) });
    case "delete":
      return engine.delete(operation.key, options);
    case "clear":
      return engine.clear(operation.range, options);
  }
}

export function rangeOf(range: StepRange): RangeOptions {
  const { prefix, gt, gte, lt, lte, ...rest } = range;
  const bounds = { prefix, gt, gte, lt, lte };
  const given = Object.entries(bounds).flatMap(([name, text]) =>
    text === undefined ? [] : [[name, toBytes(text)] as const],
  );
  return { ...rest, ...Object.fromEntries(given) };
}

/** Bytes of the record that a write other than a clear with a limit takes. */
export function recordLength(
  step: WriteStep,
  changes: readonly Change[],
  lsn: Lsn,
  sequence: SequenceNumber,
): number {
  const operations = changes.map(toLogged);
  const [first = { type: "noop" } as const] = operations;
  const payload: WalPayload = step.step !== "batch" ? first : { type: "batch", operations };
  return encodeRecord({ lsn, sequence, payload }).length;
}

type BytesOperation = BatchOperation &
  (
    | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
    | { readonly type: "delete"; readonly key: Uint8Array }
    | { readonly type: "clear"; readonly range: { readonly gte: Uint8Array; readonly lt?: Uint8Array } }
  );

/** An expiry is given in one of the three possible ways. */
export function toOperation(change: Change, now: number): BytesOperation {
  const logged = toLogged(change);
  if (logged.type === "put") {
    const { type, key, value, expiresAt } = logged;
    if (expiresAt === undefined) return { type, key, value };
    if (expiresAt > now && expiresAt % 2 === 0) return { type, key, value, ttlMs: expiresAt - now };
    return { type, key, value, expiresAt: expiresAt % 3 === 0 ? new Date(expiresAt) : expiresAt };
  }
  if (logged.type !== "deleteRange") return logged;
  const { start: gte, end: lt } = logged;
  return { type: "clear", range: { gte, ...(lt !== undefined && { lt }) } };
}

function toLogged(change: Change): WalOperation {
  if (isRange(change)) {
    const { start, end } = change;
    return { type: "deleteRange", start: toBytes(start), end: end === undefined ? undefined : toBytes(end) };
  }
  const { key, value, expiresAt } = change;
  if (value === undefined) return { type: "delete", key: toBytes(key) };
  const put = { type: "put", key: toBytes(key), value: toBytes(value) } as const;
  return expiresAt === undefined ? put : { ...put, expiresAt };
}

function expiryIn({ ttlMs, expiresAt }: Expiry): Expiry {
  return { ...(ttlMs !== undefined && { ttlMs }), ...(expiresAt !== undefined && { expiresAt }) };
}
