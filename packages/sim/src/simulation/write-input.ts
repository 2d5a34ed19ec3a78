import type { Lsn, SequenceNumber } from "@kaya/core";
import type { BatchOperation, Engine, RangeOptions, WriteResult } from "@kaya/engine";
import { encodeRecord, type WalPayload } from "@kaya/wal";
import { textOfValue, toBytes } from "./bytes.js";
import { type ExpectedCondition, toEngineCondition } from "./conditions.js";
import { type Change, entriesOf, type State } from "./state.js";
import type { StepRange, WriteStep } from "./steps.js";

/** What a write does, change by change. @param projected the state once all writes before it are in */
export function changesOf(step: WriteStep, projected: () => State): Change[] {
  switch (step.step) {
    case "put":
      return [{ key: step.key, value: textOfValue(`${step.id}`, step.length) }];
    case "delete":
      return [{ key: step.key, value: undefined }];
    case "batch":
      return step.operations.map(({ key, length }, i) => ({
        key,
        value: length === undefined ? undefined : textOfValue(`${step.id}.${i}`, length),
      }));
    case "clear":
      return entriesOf(projected(), step.range).map(([key]) => ({ key, value: undefined }));
  }
}

/** Starts the write. Its bytes are overwritten right after the call: the engine must not look at them again. */
export function startWrite(
  engine: Engine,
  step: WriteStep,
  changes: readonly Change[],
  expected: readonly ExpectedCondition[],
): Promise<WriteResult> {
  const options = { durability: step.durability };
  const conditions = expected.map(toEngineCondition);
  if (step.step === "clear") return engine.clear(rangeOf(step.range), options);
  const operations = changes.map(toOperation);
  const [first] = operations;
  const isBatch = step.step === "batch" || first === undefined;
  const write = isBatch
    ? engine.batch(operations, { ...options, conditions })
    : first.type === "put"
      ? engine.put(first.key, first.value, options)
      : engine.delete(first.key, options);
  for (const condition of conditions) condition.key.fill(0xee);
  for (const operation of operations) {
    operation.key.fill(0xee);
    if (operation.type === "put") operation.value.fill(0xee);
  }
  return write;
}

export function rangeOf(range: StepRange): RangeOptions {
  const { prefix, gt, gte, lt, lte, ...rest } = range;
  const bounds = { prefix, gt, gte, lt, lte };
  const given = Object.entries(bounds).flatMap(([name, text]) =>
    text === undefined ? [] : [[name, toBytes(text)] as const],
  );
  return { ...rest, ...Object.fromEntries(given) };
}

/** Bytes of the record that a write other than a clear takes. */
export function recordLength(
  step: WriteStep,
  changes: readonly Change[],
  lsn: Lsn,
  sequence: SequenceNumber,
): number {
  const operations = changes.map(toOperation);
  const [first] = operations;
  const payload: WalPayload =
    step.step !== "batch" && first !== undefined ? first : { type: "batch", operations };
  return encodeRecord({ lsn, sequence, payload }).length;
}

type BytesOperation = BatchOperation &
  (
    | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
    | { readonly type: "delete"; readonly key: Uint8Array }
  );

function toOperation({ key, value }: Change): BytesOperation {
  return value === undefined
    ? { type: "delete", key: toBytes(key) }
    : { type: "put", key: toBytes(key), value: toBytes(value) };
}
