import { describe, ownOptions, readInput } from "@kaya/core";
import { type WriteOptions as EngineWriteOptions, KayaError } from "@kaya/engine";

/**
 * How durable a write must be before it resolves: of `put`, `del`, `batch`, the `write` of a chained batch, and
 * `clear`.
 */
export interface WriteOptions extends EngineWriteOptions {
  /**
   * LevelDB's name for the durability: `true` is `strict`, `false` is `relaxed`. Default: the database's
   * `durability`.
   */
  readonly sync?: boolean | undefined;
}

/** When an entry expires: of `put`, `batch`, and each put of a batch. */
export interface TtlOptions {
  /**
   * The entry expires after this many milliseconds, a whole number. A later write begins again, and without a
   * `ttl` the entry stays. 0 is the same as absent.
   */
  readonly ttl?: number | undefined;
}

/** The lifetime of a put's entry; undefined if it stays. @throws KayaError KAYA_INVALID_ARGUMENT */
export function ttlOf(options: TtlOptions): { ttlMs: number } | undefined {
  const what = "the options of a put";
  const { ttl } = readInput(what, () => ownOptions(options, ["ttl"], what));
  if (ttl === undefined || ttl === 0) return undefined;
  if (Number.isSafeInteger(ttl) && ttl > 0) return { ttlMs: ttl };
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `ttl must be a whole number of milliseconds >= 0, not ${describe(ttl)}`,
  );
}

const STRICT: EngineWriteOptions = { durability: "strict" };
const RELAXED: EngineWriteOptions = { durability: "relaxed" };

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function toEngineOptions(options: WriteOptions): EngineWriteOptions | undefined {
  const what = "the options of a write";
  const { durability, sync } = readInput(what, () => ownOptions(options, ["durability", "sync"], what));
  if (sync === undefined) return durability === undefined ? undefined : { durability };
  if (typeof sync !== "boolean") {
    throw new KayaError("KAYA_INVALID_ARGUMENT", `sync must be true or false, not ${describe(sync)}`);
  }
  const asked = sync ? STRICT : RELAXED;
  if (durability !== undefined && durability !== asked.durability) {
    throw new KayaError("KAYA_INVALID_ARGUMENT", `sync: ${sync} contradicts durability: "${durability}"`);
  }
  return asked;
}
