import type { DurabilityMode } from "@kaya/core";
import type {
  BatchOperation,
  Engine,
  KeyBounds,
  PutOperation,
  RangeOptions,
  WriteResult,
} from "@kaya/engine";

/** One write of a workload: a put, a delete, a batch, or a cleared prefix, which is one record of the log each. */
export interface EngineWrite {
  readonly durability: DurabilityMode;
  readonly write: readonly BatchOperation[] | { readonly clear: string };
}

/** Keys and values as text. */
export type Contents = ReadonlyMap<string, string>;

/** What the store holds after these writes. */
export function contentsAfter(writes: readonly EngineWrite[]): Contents {
  const contents = new Map<string, string>();
  for (const { write } of writes) {
    if ("clear" in write) clearIn(contents, { prefix: write.clear });
    else for (const operation of write) carryOut(contents, operation);
  }
  return contents;
}

/** Times that have expired, and that never expire in a run. */
export const LONG_AGO = 1;
export const FAR_AHEAD = 2 ** 43;

/** Applies an operation of a batch to a model of the store. Keys are ASCII. */
export function carryOut(contents: Map<string, string>, operation: BatchOperation): void {
  if (operation.type === "put" && operation.expiresAt !== LONG_AGO)
    contents.set(String(operation.key), String(operation.value));
  else if (operation.type === "put") contents.delete(String(operation.key));
  else if (operation.type === "delete") contents.delete(String(operation.key));
  else clearIn(contents, operation.range);
}

function clearIn(contents: Map<string, string>, { prefix = "", gt, gte, lt, lte }: KeyBounds): void {
  for (const key of [...contents.keys()]) {
    const isInside =
      key.startsWith(String(prefix)) &&
      (gt === undefined || key > String(gt)) &&
      (gte === undefined || key >= String(gte)) &&
      (lt === undefined || key < String(lt)) &&
      (lte === undefined || key <= String(lte));
    if (isInside) contents.delete(key);
  }
}

/** What the store, or a snapshot of it, holds. */
export async function contentsOf(store: Pick<Engine, "scan">, range?: RangeOptions): Promise<Contents> {
  const contents = new Map<string, string>();
  for await (const { key, value } of store.scan(range)) {
    contents.set(Buffer.from(key).toString(), Buffer.from(value).toString());
  }
  return contents;
}

/** Does the write by the method that is meant for it. */
export function perform(engine: Engine, { write, durability }: EngineWrite): Promise<WriteResult> {
  if ("clear" in write) return engine.clear({ prefix: write.clear }, { durability });
  const [first, ...others] = write;
  if (first === undefined || others.length > 0) return engine.batch(write, { durability });
  if (first.type === "put") return engine.put(first.key, first.value, { durability, ...expiryIn(first) });
  if (first.type === "clear") return engine.clear(first.range, { durability });
  return engine.delete(first.key, { durability });
}

/** The same by the synchronous method; a clear has none. */
export function performNow(
  engine: Engine,
  operations: readonly BatchOperation[],
  durability: DurabilityMode,
): WriteResult {
  const [first, ...others] = operations;
  if (others.length === 0 && first?.type === "put")
    return engine.putSync(first.key, first.value, { durability, ...expiryIn(first) });
  if (others.length === 0 && first?.type === "delete") return engine.deleteSync(first.key, { durability });
  return engine.batchSync(operations, { durability });
}

function expiryIn({ expiresAt }: PutOperation): { readonly expiresAt?: number | Date } {
  return expiresAt === undefined ? {} : { expiresAt };
}

/** @throws Error that says where they differ */
export function checkContents(found: Contents, expected: Contents, when: string): void {
  for (const key of new Set([...found.keys(), ...expected.keys()])) {
    const [is, wanted] = [found.get(key), expected.get(key)];
    if (is === wanted) continue;
    throw new Error(`${when} «${key}» is ${shortened(is)}, not ${shortened(wanted)}`);
  }
}

function shortened(value: string | undefined): string {
  if (value === undefined) return "absent";
  return value.length <= 24 ? `«${value}»` : `«${value.slice(0, 16)}…» of ${value.length}`;
}
