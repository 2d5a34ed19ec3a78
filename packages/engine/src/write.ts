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
import type { Now } from "./clock.js";
import { once } from "./clock.js";
import type { BatchCondition } from "./conditions.js";
import { type Expiry, expiryOf } from "./expiry.js";
import { aroundReserved, assertNotReserved } from "./indexes/reserved.js";
import { type Bytes, checkDurability, invalid, toBytes } from "./input.js";
import type { KeyRange } from "./memtable/key-range.js";
import { extentOf, type KeyBounds, toKeyBounds } from "./range.js";

export const WRITE_OPTIONS: readonly string[] = ["durability"];
export const PUT_OPTIONS: readonly string[] = ["durability", "ttlMs", "expiresAt"];
export const BATCH_OPTIONS: readonly string[] = ["durability", "conditions"];

/** How durable a write must be before it resolves. */
export interface WriteOptions {
  /**
   * `"strict"`: on stable storage. `"relaxed"`: given to the operating system. Default: the `durability` of the
   * engine.
   */
  readonly durability?: DurabilityMode;
}

/**
 * How durable a put must be, and when its value expires. Without `ttlMs` or `expiresAt` the value stays, even
 * if the value that it replaces would have expired.
 */
export interface PutOptions extends WriteOptions, Expiry {}

/** How durable a batch must be, and what must hold for it to be written. */
export interface BatchOptions extends WriteOptions {
  /** The batch is written only if all of these hold. Otherwise it rejects with KAYA_CONFLICT. */
  readonly conditions?: readonly BatchCondition[];
}

/** The options of a write, read once. */
export interface ReadWriteOptions {
  readonly durability: DurabilityMode;
  readonly conditions: readonly BatchCondition[] | undefined;
  /** Of a put, in milliseconds since 1970. */
  readonly expiresAt: number | undefined;
}

/** Where a write stands in the log, and whether it is durable. */
export interface WriteResult {
  /** Log sequence number of the record: 1 for the first record of a log, then one more for each. */
  readonly lsn: Lsn;
  /**
   * The number of the operation; for a batch, of its first operation. `getEntry` gives it for the key that was
   * written.
   */
  readonly sequence: SequenceNumber;
  /** True if the write was on stable storage when it was acknowledged. */
  readonly durable: boolean;
}

/** One operation of a batch: a put, a delete or a clear. */
export type BatchOperation = PutOperation | DeleteOperation | ClearOperation;

/**
 * Stores a value under a key. Without `ttlMs` or `expiresAt` the value stays, even if the value that it
 * replaces would have expired.
 */
export interface PutOperation extends Expiry {
  /** `"put"`, which makes the operation a put. */
  readonly type: "put";
  /** At most `limits.maxKeyBytes`, 4,096 by default. */
  readonly key: Bytes;
  /** At most `limits.maxValueBytes`, 16 MiB by default. */
  readonly value: Bytes;
}

/** Removes a key; allowed if the key is absent. */
export interface DeleteOperation {
  /** `"delete"`, which makes the operation a deletion. */
  readonly type: "delete";
  /** At most `limits.maxKeyBytes`, 4,096 by default. */
  readonly key: Bytes;
}

/**
 * Deletes every key of a range. A range that can hold no key is left out and takes no sequence. A range across
 * the keys of indexes takes two sequences if there are any.
 */
export interface ClearOperation {
  /** `"clear"`, which makes the operation a deletion of a range. */
  readonly type: "clear";
  /** The keys to delete; `{}` for all keys. */
  readonly range: KeyBounds;
}

/** One operation stands alone: it needs nothing around it. */
export function payloadOf(operations: WalOperations): WalPayload {
  const [first] = operations.length === 1 ? operations : [];
  return first ?? { type: "batch", operations };
}

/** A payload that stays as it is, whatever its caller does with the bytes that it gave. */
export function keptPayload(payload: WalPayload): WalPayload {
  if (payload.type === "noop") return payload;
  if (payload.type !== "batch") return keptOperation(payload);
  if (payload.operations instanceof EncodedOperations) return payload;
  return { type: "batch", operations: Array.from(payload.operations, keptOperation) };
}

function keptOperation(operation: WalOperation): WalOperation {
  switch (operation.type) {
    case "put": {
      const { key, value, expiresAt } = operation;
      return putOf(new Uint8Array(key), new Uint8Array(value), expiresAt);
    }
    case "delete":
      return { type: "delete", key: new Uint8Array(operation.key) };
    case "deleteRange":
      return operation; // its bounds were copied when the range was read
  }
}

/** One that does not expire is the object that it always was. */
function putOf(key: Uint8Array, value: Uint8Array, expiresAt: number | undefined): WalOperation {
  return expiresAt === undefined ? { type: "put", key, value } : { type: "put", key, value, expiresAt };
}

/** Operations of a batch from which on they are encoded while they are checked. */
const ENCODED_AT_ONCE = 1024;

/** Turns what a caller wants written into what the log takes. It throws before anything is written. */
export class WriteInput {
  readonly #config: EngineConfig;
  readonly #now: Now;
  readonly #hasIndexes: () => boolean;
  readonly #defaults: ReadWriteOptions;

  /**
   * @param now what a `ttlMs` counts from
   * @param hasIndexes whether there are keys that a deletion of a range leaves out
   */
  constructor(config: EngineConfig, now: Now, hasIndexes: () => boolean) {
    this.#config = config;
    this.#now = now;
    this.#hasIndexes = hasIndexes;
    this.#defaults = { durability: config.durability, conditions: undefined, expiresAt: undefined };
  }

  put(key: Bytes, value: Bytes, expiresAt?: number | undefined): WalOperation {
    return putOf(this.key(key), this.#value(value), expiresAt);
  }

  delete(key: Bytes): WalOperation {
    return { type: "delete", key: this.key(key) };
  }

  /** None where no key can be in the range, two where it goes over the keys of indexes. `limit` and `reverse` do not count. */
  clear(range: KeyRange): readonly RangeDelete[] {
    const extent = extentOf(range);
    // What lies directly behind a key is one byte longer than that.
    const most = this.#config.limits.maxKeyBytes + 1;
    for (const bound of [extent?.start, extent?.end]) {
      if (bound === undefined || bound.length <= most) continue;
      throw invalid(
        `the range has a bound of ${bound.length} bytes, more than limits.maxKeyBytes (${most - 1})`,
      );
    }
    if (extent === undefined) return [];
    const parts = aroundReserved(extent);
    const cut = parts.length < 2 || this.#hasIndexes() ? parts : [extent];
    return cut.map((part) => ({ type: "deleteRange", ...part }));
  }

  operations(operations: readonly BatchOperation[]): WalOperations {
    return readInput("a batch", () => {
      if (!Array.isArray(operations))
        throw invalid(`a batch takes an array of operations, not ${describe(operations)}`);
      if (operations.length > ENCODED_AT_ONCE) return this.#encoded(operations);
      const read: WalOperation[] = [];
      const now = once(this.#now);
      for (const operation of operations) {
        read.push(...this.#operation(operation, now));
      }
      return read;
    });
  }

  /** As they will stand in the log, so that nothing goes over a large batch twice. */
  #encoded(operations: readonly BatchOperation[]): WalOperations {
    const buffer = new OperationsBuffer();
    const now = once(this.#now);
    for (const operation of operations) {
      // Each is read once: a getter may answer differently the second time.
      const type = operation?.type;
      if (type === "put") {
        const { key, value, ttlMs, expiresAt } = operation as PutOperation;
        buffer.put(this.key(key), this.#value(value), expiryIn(operation, ttlMs, expiresAt, now));
      } else if (type === "delete") {
        buffer.delete(this.key((operation as DeleteOperation).key));
      } else {
        for (const { start, end } of this.#clearIn(operation, type)) buffer.deleteRange(start, end);
      }
    }
    return buffer.take();
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  durability(given: DurabilityMode = this.#config.durability): DurabilityMode {
    checkDurability(given);
    return given;
  }

  /** When a value goes, in milliseconds since 1970. @throws KayaError KAYA_INVALID_ARGUMENT */
  expiry(given: Expiry | undefined): number | undefined {
    return given && this.expiryIn(readOptions(given, ["ttlMs", "expiresAt"], "the options of a put"));
  }

  /** In milliseconds since 1970, of options that were read. @throws KayaError KAYA_INVALID_ARGUMENT */
  expiryIn(options: { readonly [Name in keyof Expiry]: Expiry[Name] | undefined }): number | undefined {
    return expiryOf(options, this.#now);
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  options(options: (BatchOptions & PutOptions) | undefined, known: readonly string[]): ReadWriteOptions {
    if (options === undefined) return this.#defaults;
    const read = readOptions(options, known, "the options of a write");
    const { durability, conditions } = read;
    return { durability: this.durability(durability), conditions, expiresAt: expiryOf(read, this.#now) };
  }

  /** One, but for a deletion of a range. */
  #operation(operation: BatchOperation, now: Now): readonly WalOperation[] {
    // Each is read once: a getter may answer differently the second time.
    const type = operation?.type;
    if (type === "put") {
      const { key, value, ttlMs, expiresAt } = operation as PutOperation;
      return [putOf(this.key(key), this.#value(value), expiryIn(operation, ttlMs, expiresAt, now))];
    }
    if (type === "delete") return [{ type, key: this.key((operation as DeleteOperation).key) }];
    return this.#clearIn(operation, type);
  }

  #clearIn(operation: BatchOperation, type: unknown): readonly RangeDelete[] {
    if (type !== "clear")
      throw invalid(`the type of an operation must be "put", "delete" or "clear", not ${describe(type)}`);
    const { range } = operation as ClearOperation;
    if (range === undefined) throw invalid("a clear in a batch needs a `range`: give {} for all keys");
    return this.clear(toKeyBounds(range));
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  key(key: Bytes): Uint8Array {
    const bytes = toBytes(key, "key");
    const { maxKeyBytes } = this.#config.limits;
    if (bytes.length > maxKeyBytes) {
      throw invalid(`the key has ${bytes.length} bytes, more than limits.maxKeyBytes (${maxKeyBytes})`);
    }
    if (bytes[0] === 0xff) assertNotReserved(bytes);
    return bytes;
  }

  #value(value: Bytes): Uint8Array {
    const bytes = toBytes(value, "value");
    const { maxValueBytes } = this.#config.limits;
    if (bytes.length > maxValueBytes) {
      throw invalid(`the value has ${bytes.length} bytes, more than limits.maxValueBytes (${maxValueBytes})`);
    }
    return bytes;
  }
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
function expiryIn(
  operation: BatchOperation,
  ttlMs: PutOperation["ttlMs"],
  expiresAt: PutOperation["expiresAt"],
  now: Now,
): number | undefined {
  if (ttlMs === undefined && expiresAt === undefined) return undefined;
  // Own properties: with a polluted Object.prototype everything would expire.
  const own = {
    ttlMs: Object.hasOwn(operation, "ttlMs") ? ttlMs : undefined,
    expiresAt: Object.hasOwn(operation, "expiresAt") ? expiresAt : undefined,
  };
  return expiryOf(own, now);
}
