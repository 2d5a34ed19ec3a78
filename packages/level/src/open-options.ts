import { ownOptions, readInput, resolveEngineConfig } from "@kaya/core";
import { KayaError, type PartialEngineConfig } from "@kaya/engine";
import type { Disk } from "@kaya/io";
import type { AbstractDatabaseOptions, AbstractOpenOptions } from "abstract-level";

/** The engine's configuration without `dataDir` (the location), and without options whose values differ in LevelDB. */
type EngineOptions = Omit<PartialEngineConfig, "dataDir" | "compression">;

/**
 * How a database is opened: the options of abstract-level, and the configuration of the engine except
 * `dataDir`, which is the location.
 */
export interface OpenOptions extends AbstractOpenOptions, EngineOptions {
  /**
   * How tables are compressed: `"none"` or `"snappy"`. LevelDB's booleans are allowed: `false` is `"none"`,
   * `true` is the default.
   */
  readonly compression?: PartialEngineConfig["compression"] | boolean;
  /** Used instead of the directory at the location: a `SimDisk` in tests. */
  readonly disk?: Disk;
}

/** The options of the constructor: encodings, and everything that `open` takes. */
export interface DatabaseOptions<K, V> extends AbstractDatabaseOptions<K, V>, Omit<OpenOptions, "passive"> {}

/**
 * The engine's part of the options. Other options are ignored: abstract-level passes all options to hooks, and programs written for LevelDB
 * pass tuning options.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function toEngineConfig(options: OpenOptions): PartialEngineConfig {
  if (Object.hasOwn(options, "dataDir")) {
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      "there is no option dataDir: the location is the data directory",
    );
  }
  const config = Object.fromEntries(
    Object.entries(options).filter(([name]) => ENGINE_OPTIONS.includes(name)),
  );
  if (typeof config.compression !== "boolean") return config;
  const { compression, ...others } = config;
  return compression ? others : { ...others, compression: "none" };
}

/** Own options, not those of a polluted Object.prototype. */
export function readOwn<K extends keyof OpenOptions>(
  options: OpenOptions,
  names: readonly K[],
): Pick<OpenOptions, K> {
  const what = "the options of a database";
  return readInput(what, () => ownOptions(options, names, what) as Pick<OpenOptions, K>);
}

const ENGINE_OPTIONS = Object.keys(resolveEngineConfig());

/** Whatever a crash leaves of a data directory has one of these names. */
const KAYA_NAMES = ["LOCK", "wal", "manifest", "sst"];

/**
 * Checks `createIfMissing` and `errorIfExists`, and refuses a LevelDB directory: an empty database beside its files would look like lost data.
 * @throws KayaError KAYA_NOT_FOUND, KAYA_INVALID_ARGUMENT, KAYA_IO
 */
export async function checkExistence(location: string, disk: Disk, options: OpenOptions): Promise<void> {
  const { createIfMissing, errorIfExists, readOnly } = readOwn(options, [
    "createIfMissing",
    "errorIfExists",
    "readOnly",
  ]);
  const names = (await disk.list("")).map(({ path }) => path);
  if (names.includes("CURRENT") && !names.includes("wal") && !names.includes("manifest")) {
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `${location} holds a LevelDB database (it has a file CURRENT): copy its entries into another directory`,
    );
  }
  const exists = KAYA_NAMES.some((name) => names.includes(name));
  if (!exists && (createIfMissing === false || readOnly === true)) {
    const why = readOnly === true ? "readOnly is true" : "createIfMissing is false";
    throw new KayaError("KAYA_NOT_FOUND", `${location} does not exist, and ${why}`);
  }
  if (exists && errorIfExists === true) {
    throw new KayaError("KAYA_INVALID_ARGUMENT", `${location} exists, and errorIfExists is true`);
  }
}
