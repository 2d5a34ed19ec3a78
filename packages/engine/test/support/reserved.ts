import type { Engine, WriteResult } from "../../src/index.js";
import { type Bytes, toBytes } from "../../src/input.js";
import { WriteInput } from "../../src/write.js";

/** Writes one of the engine's own keys past its checks: what damage, or an earlier version, may leave. */
export function putReserved(engine: Engine, key: Bytes, value: Bytes): Promise<WriteResult> {
  const { key: checked } = WriteInput.prototype;
  WriteInput.prototype.key = (unchecked) => toBytes(unchecked, "key");
  try {
    return engine.put(key, value);
  } finally {
    WriteInput.prototype.key = checked;
  }
}
