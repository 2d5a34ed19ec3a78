import type { FaultStep, Step, StepCondition, StepOperation, WriteStep } from "./steps.js";

/** Steps that do a little less than this one; each is shorter as JSON, so that simplifying comes to an end. */
export function simplerSteps(step: Step): readonly Step[] {
  switch (step.step) {
    case "put":
      return [
        ...later(step),
        ...(step.lives === undefined ? [] : [lasting(step)]),
        ...lengths(step.length).map((length) => ({ ...step, length })),
        ...plainKey(step),
      ];
    case "update":
      return [...lengths(step.length).map((length) => ({ ...step, length })), ...plainKey(step)];
    case "delete":
      return [...later(step), ...plainKey(step)];
    case "batch":
      return [
        ...later(step),
        ...operationLists(step.operations).map((operations) => ({ ...step, operations })),
        ...conditionLists(step.conditions ?? []).map((conditions) => ({ ...step, conditions })),
      ];
    case "clear":
    case "count":
    case "size":
    case "compact":
    case "scan":
    case "open-scan":
      return Object.keys(step.range).length === 0 ? [] : [{ ...step, range: {} }];
    case "transaction-get":
      return step.keys.length <= 1 ? [] : step.keys.map((key) => ({ ...step, keys: [key] }));
    case "transaction-scan":
      return Object.keys(step.range).length === 0 ? [] : [{ ...step, range: {} }];
    case "transaction-write":
      return operationLists(step.operations).map((operations) => ({ ...step, operations }));
    case "index-write":
      return step.rows.length <= 1
        ? []
        : step.rows.map((_, i) => ({ ...step, rows: step.rows.toSpliced(i, 1) }));
    case "read-snapshot":
      return step.keys.length === 0 ? [] : [{ ...step, keys: [], range: {} }];
    case "settle":
      return step.writes === undefined ? [] : [{ step: "settle" }];
    case "reopen":
      return step.store === undefined ? [] : [{ step: "reopen", config: step.config }];
    case "recover-to":
    case "look":
      return step.beside === 0 ? [] : [{ ...step, beside: 0 }];
    case "fault":
      return simplerFaults(step);
    case "time":
      return step.jump === undefined ? [] : [{ step: "time", ms: step.ms }];
    case "crash":
      return step.survive === "random" ? [{ step: "crash", survive: "nothing" }] : [];
    default:
      return [];
  }
}

/** The same write, not waited for. */
function later(step: WriteStep): readonly Step[] {
  return "now" in step && step.now ? [{ ...step, now: undefined } as unknown as WriteStep] : [];
}

/** What does not expire. */
function lasting<T extends { readonly lives?: number }>(step: T): T {
  const { lives: _, ...rest } = step;
  return rest as T;
}

/** Alone, or with a shorter wait of either. */
function simplerFaults(step: FaultStep): FaultStep[] {
  const { next, ...alone } = step;
  const sooner = step.after < 10 ? [] : [{ ...step, after: Math.floor(step.after / 10) }];
  if (next === undefined) return sooner;
  const soonerNext =
    next.after < 10 ? [] : [{ ...step, next: { ...next, after: Math.floor(next.after / 10) } }];
  return [alone, ...sooner, ...soonerNext];
}

function lengths(length: number): readonly number[] {
  return length < 10 ? [] : [1, Math.floor(length / 10)];
}

function plainKey<T extends { readonly key: string }>(step: T): readonly T[] {
  return step.key.length <= 1 ? [] : [{ ...step, key: "k" }];
}

function conditionLists(conditions: readonly StepCondition[]): StepCondition[][] {
  return conditions.map((_, i) => conditions.toSpliced(i, 1));
}

/** Without one of the operations, as long as one is left; with a short value in one; and with one that does not expire. */
function operationLists(operations: readonly StepOperation[]): StepOperation[][] {
  // A batch of nothing but a range that no key can be in would be no record.
  const without = operations
    .map((_, i) => operations.toSpliced(i, 1))
    .filter((left) => left.some((operation) => "key" in operation));
  const shorter = operations.flatMap((operation, i) =>
    "clear" in operation || (operation.length ?? 0) < 10
      ? []
      : [operations.with(i, { ...operation, length: 1 })],
  );
  const longer = operations.flatMap((operation, i) =>
    "clear" in operation || operation.lives === undefined ? [] : [operations.with(i, lasting(operation))],
  );
  return [...without, ...shorter, ...longer];
}
