export { type KayaChainedBatch, KayaLevel, type KeyOptions } from "./kaya-level.js";
export type { DatabaseOptions, OpenOptions } from "./open-options.js";
export type { TtlOptions, WriteOptions } from "./write-options.js";
