import {
  type DurabilityMode,
  describe,
  type EngineConfig,
  type Lsn,
  readInput,
  readOptions,
  type SequenceNumber,
} from "@kaya/core";
import {
  EncodedOperations,
  OperationsBuffer,
  type RangeDelete,
  type WalOperation,
  type WalOperations,
  type WalPayload,
} from "@kaya/wal";
import type { BatchCondition } from "./conditions.js";
import { type Bytes, checkDurability, invalid, toBytes } from "./input.js";
import type { KeyRange } from "./memtable/key-range.js";
import { extentOf, type KeyBounds, toKeyBounds } from "./range.js";

export const WRITE_OPTIONS: readonly string[] = ["durability"];
export const BATCH_OPTIONS: readonly string[] = ["durability", "conditions"];

export interface WriteOptions {
  /** Default: the engine's `durability`. */
  readonly durability?: DurabilityMode;
}

export interface BatchOptions extends WriteOptions {
  /** The batch is written only if all of these hold, else it is rejected with KAYA_CONFLICT. */
  readonly conditions?: readonly BatchCondition[];
}

/** The options of a write, read once. */
export interface ReadWriteOptions {
  readonly durability: DurabilityMode;
  readonly conditions: readonly BatchCondition[] | undefined;
}

export interface WriteResult {
  readonly lsn: Lsn;
  /** Of the write; of a batch's first operation. */
  readonly sequence: SequenceNumber;
  /** True where it was on stable storage before this was given. */
  readonly durable: boolean;
}

export type BatchOperation = PutOperation | DeleteOperation | ClearOperation;

export interface PutOperation {
  readonly type: "put";
  readonly key: Bytes;
  readonly value: Bytes;
}

export interface DeleteOperation {
  readonly type: "delete";
  readonly key: Bytes;
}

/** Deletes every key of a range. One that no key can be in is left out, and takes no sequence. */
export interface ClearOperation {
  readonly type: "clear";
  readonly range: KeyBounds;
}

/** A payload that stays as it is, whatever its caller does with the bytes that it gave. */
export function keptPayload(payload: WalPayload): WalPayload {
  if (payload.type !== "batch" || payload.operations instanceof EncodedOperations) return payload;
  return { type: "batch", operations: Array.from(payload.operations, keptOperation) };
}

function keptOperation(operation: WalOperation): WalOperation {
  switch (operation.type) {
    case "put":
      return { type: "put", key: new Uint8Array(operation.key), value: new Uint8Array(operation.value) };
    case "delete":
      return { type: "delete", key: new Uint8Array(operation.key) };
    case "deleteRange":
      return operation; // its bounds were copied when the range was read
  }
}

/** Operations of a batch from which on they are encoded while they are checked. */
const ENCODED_AT_ONCE = 1024;

/** Turns what a caller wants written into what the log takes. It throws before anything is written. */
export class WriteInput {
  readonly #config: EngineConfig;
  readonly #defaults: ReadWriteOptions;

  constructor(config: EngineConfig) {
    this.#config = config;
    this.#defaults = { durability: config.durability, conditions: undefined };
  }

  put(key: Bytes, value: Bytes): WalOperation {
    return { type: "put", key: this.key(key), value: this.#value(value) };
  }

  delete(key: Bytes): WalOperation {
    return { type: "delete", key: this.key(key) };
  }

  /** Undefined where no key can be in the range. `limit` and `reverse` do not count. */
  clear(range: KeyRange): RangeDelete | undefined {
    const extent = extentOf(range);
    // What lies directly behind a key is one byte longer than that.
    const most = this.#config.limits.maxKeyBytes + 1;
    for (const bound of [extent?.start, extent?.end]) {
      if (bound === undefined || bound.length <= most) continue;
      throw invalid(`a bound of ${bound.length} bytes is over limits.maxKeyBytes (${most - 1})`);
    }
    return extent && { type: "deleteRange", ...extent };
  }

  operations(operations: readonly BatchOperation[]): WalOperations {
    return readInput("a batch", () => {
      if (!Array.isArray(operations)) throw invalid("a batch is an array of operations");
      if (operations.length > ENCODED_AT_ONCE) return this.#encoded(operations);
      const read: WalOperation[] = [];
      for (const operation of operations) {
        const one = this.#operation(operation);
        if (one !== undefined) read.push(one);
      }
      return read;
    });
  }

  /** As they will stand in the log, so that nothing goes over a large batch twice. */
  #encoded(operations: readonly BatchOperation[]): WalOperations {
    const buffer = new OperationsBuffer();
    for (const operation of operations) {
      // Each is read once: a getter may answer differently the second time.
      const type = operation?.type;
      if (type === "put") {
        const { key, value } = operation as PutOperation;
        buffer.put(this.key(key), this.#value(value));
      } else if (type === "delete") {
        buffer.delete(this.key((operation as DeleteOperation).key));
      } else {
        const range = this.#clearIn(operation, type);
        if (range !== undefined) buffer.deleteRange(range.start, range.end);
      }
    }
    return buffer.take();
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  durability(given: DurabilityMode = this.#config.durability): DurabilityMode {
    checkDurability(given);
    return given;
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  options(options: BatchOptions | undefined, known: readonly string[]): ReadWriteOptions {
    if (options === undefined) return this.#defaults;
    const { durability, conditions } = readOptions(options, known, "the options of a write");
    return { durability: this.durability(durability), conditions };
  }

  /** Undefined for a range that no key can be in. */
  #operation(operation: BatchOperation): WalOperation | undefined {
    // Each is read once: a getter may answer differently the second time.
    const type = operation?.type;
    if (type === "put") {
      const { key, value } = operation as PutOperation;
      return { type, key: this.key(key), value: this.#value(value) };
    }
    if (type === "delete") return { type, key: this.key((operation as DeleteOperation).key) };
    return this.#clearIn(operation, type);
  }

  #clearIn(operation: BatchOperation, type: unknown): RangeDelete | undefined {
    if (type !== "clear")
      throw invalid(`an operation of a batch is a put, a delete or a clear, not ${describe(type)}`);
    const { range } = operation as ClearOperation;
    if (range === undefined) throw invalid("a clear in a batch has a `range`: {} for all keys");
    return this.clear(toKeyBounds(range));
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  key(key: Bytes): Uint8Array {
    const bytes = toBytes(key, "key");
    const { maxKeyBytes } = this.#config.limits;
    if (bytes.length > maxKeyBytes) {
      throw invalid(`a key of ${bytes.length} bytes is over limits.maxKeyBytes (${maxKeyBytes})`);
    }
    return bytes;
  }

  #value(value: Bytes): Uint8Array {
    const bytes = toBytes(value, "value");
    const { maxValueBytes } = this.#config.limits;
    if (bytes.length > maxValueBytes) {
      throw invalid(`a value of ${bytes.length} bytes is over limits.maxValueBytes (${maxValueBytes})`);
    }
    return bytes;
  }
}
