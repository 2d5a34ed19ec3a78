export { KayaLevel, type KeyOptions } from "./kaya-level.js";
export type { DatabaseOptions, OpenOptions } from "./open-options.js";
export type { WriteOptions } from "./write-options.js";
