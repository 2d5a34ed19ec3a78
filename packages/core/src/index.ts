export { invariant } from "./assert.js";
export { allocateBytes, checkBytes, copyBytes, isBytes } from "./bytes.js";
export { crc32c, crc32cInJs, crc32cRange, NATIVE_CRC_MIN_BYTES } from "./crc32c.js";
export { describe } from "./describe.js";
export { DurabilityMode, isDurabilityMode } from "./durability.js";
export { type EngineConfig, type PartialEngineConfig, resolveEngineConfig } from "./engine-config.js";
export { asKayaError, KayaError, type KayaErrorCode } from "./errors.js";
export { checkCallback, ownOptions, readInput, readOptions } from "./options.js";
export type { LogPosition, Lsn, SequenceNumber } from "./position.js";
export { throwIfAborted } from "./signal.js";
export type { TablesConfig } from "./tables-config.js";
export {
  DEFAULT_MAX_RECORD_BYTES,
  RECORD_HEADER_BYTES,
  type RecoveryMode,
  resolveWalConfig,
  type WalConfig,
} from "./wal-config.js";
