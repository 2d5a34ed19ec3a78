import {
  KayaError,
  type PartialEngineConfig,
  resolveEngineConfig,
  resolveWalConfig,
  type WalConfig,
} from "@kaya/core";
import type { Step, StoreConfig } from "./steps.js";

/** The version of the trace format; a trace of another one cannot be replayed. */
export const TRACE_VERSION = 2;

/** A run, step by step: all that is needed to have it again, on any machine. */
export interface Trace {
  /** The seed of the disk, and of the generator if the steps come from it. */
  readonly seed: number;
  /** The configuration of the log that the engine is first opened with. */
  readonly config: WalConfig;
  /** The configuration of its memtables and tables; absent if it neither flushes nor compacts by itself. */
  readonly store?: StoreConfig;
  /** The engine's `changes.maxKeptLogBytes`; absent if all log is kept that consumers want. */
  readonly maxKeptLogBytes?: number;
  /** The steps of the run, in order. */
  readonly steps: readonly Step[];
}

/** A trace as JSON lines: a header, then one step a line. */
export function saveTrace({ steps, ...head }: Trace): string {
  const header = { trace: "kaya-simulation", version: TRACE_VERSION, ...head };
  return [header, ...steps].map((line) => `${JSON.stringify(line)}\n`).join("");
}

/**
 * Reads what `saveTrace` wrote. Empty lines don't count, so a trace can be edited by hand.
 * @throws KayaError KAYA_INVALID_ARGUMENT naming the line
 */
export function loadTrace(text: string): Trace {
  const lines = text.split("\n").map((line, i) => ({ line: line.trim(), number: i + 1 }));
  const [first, ...rest] = lines.filter(({ line }) => line !== "");
  if (first === undefined) throw invalid(1, "a trace begins with its header");
  const header = parse(first.line, first.number);
  if (header.trace !== "kaya-simulation") throw invalid(first.number, "this is no trace of a simulation");
  if (header.version !== TRACE_VERSION) {
    throw invalid(
      first.number,
      `version ${header.version} is not ${TRACE_VERSION}, the one that can be replayed`,
    );
  }
  if (!Number.isSafeInteger(header.seed)) throw invalid(first.number, "seed must be a whole number");
  return {
    seed: header.seed as number,
    config: resolveWalConfig(header.config as Partial<WalConfig>),
    ...(header.store !== undefined && { store: toStore(header.store) }),
    ...(header.maxKeptLogBytes !== undefined && { maxKeptLogBytes: toMostKept(header.maxKeptLogBytes) }),
    steps: rest.map(({ line, number }) => toStep(parse(line, number), number)),
  };
}

function toStore(store: unknown): StoreConfig {
  const { memory, tables, compression } = resolveEngineConfig(store as PartialEngineConfig);
  return { memory, tables, compression };
}

function toMostKept(maxKeptLogBytes: unknown): number {
  return resolveEngineConfig({ changes: { maxKeptLogBytes: maxKeptLogBytes as number } }).changes
    .maxKeptLogBytes;
}

// Of every step, the fields that it cannot be without.
const FIELDS: Record<Step["step"], readonly string[]> = {
  put: ["id", "key", "length", "durability"],
  delete: ["key", "durability"],
  batch: ["id", "operations", "durability"],
  clear: ["range", "durability"],
  get: ["key"],
  has: ["key"],
  "get-sync": ["key"],
  "get-many": ["keys"],
  count: ["range"],
  size: ["range"],
  scan: ["range", "pageSize"],
  "open-scan": ["range", "pageSize"],
  "read-scan": [],
  "open-snapshot": [],
  "read-snapshot": ["keys", "range", "close"],
  sync: [],
  flush: [],
  compact: ["range"],
  advance: ["operations"],
  settle: [],
  fault: ["after", "kind"],
  time: ["ms"],
  crash: ["survive"],
  kill: [],
  close: [],
  reopen: ["config"],
  intrude: [],
  follow: [],
  unfollow: [],
  "add-consumer": ["name"],
  "remove-consumer": ["name"],
  consume: ["name"],
  acknowledge: ["name", "permille"],
  backup: ["into"],
  "cancel-backup": [],
  "recover-to": ["permille", "beside"],
  look: ["beside"],
  update: ["id", "key", "length", "durability"],
  "open-transaction": ["durability", "attempts"],
  "transaction-get": ["of", "keys"],
  "transaction-scan": ["of", "range"],
  "transaction-write": ["of", "id", "operations"],
  "end-transaction": ["of"],
  "index-write": ["rows", "durability"],
  "index-clear": ["durability"],
  "index-build": [],
  "index-verify": [],
};

function toStep(value: Readonly<Record<string, unknown>>, line: number): Step {
  const { step } = value;
  if (typeof step !== "string" || !(step in FIELDS))
    throw invalid(line, `${JSON.stringify(step)} is no step`);
  mustHave(value, step, FIELDS[step as Step["step"]], line);
  if (value.next !== undefined) mustHave(Object(value.next), `next of ${step}`, FIELDS.fault, line);
  return value as unknown as Step;
}

function mustHave(
  value: Readonly<Record<string, unknown>>,
  what: string,
  fields: readonly string[],
  line: number,
): void {
  const missing = fields.filter((field) => value[field] === undefined);
  if (missing.length > 0) throw invalid(line, `${what} must have ${missing.join(", ")}`);
}

function parse(line: string, number: number): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw invalid(number, "this is not JSON");
  }
  if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  throw invalid(number, "this is no JSON object");
}

function invalid(line: number, message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", `trace, line ${line}: ${message}`);
}
