/** An operation of a batch, so far as the page shows it. */
export interface ShownOperation {
  readonly kind: "PUT" | "DELETE" | "DELETE_RANGE" | "PUT_EXPIRING";
  readonly key: Uint8Array;
  /** Of a range; undefined where it has no upper bound. */
  readonly end?: Uint8Array;
  readonly valueLength?: number;
  readonly expiresAt?: number;
}

const OPERATION_KINDS = [undefined, "PUT", "DELETE", "DELETE_RANGE", "PUT_EXPIRING"] as const;

/**
 * The first operations of a batch (FORMAT.md), whose record was found whole.
 * @param payload it may be cut: the first operation whose keys are not complete, and all after it, are left out
 */
export function readOperations(payload: Uint8Array, most: number): ShownOperation[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const found: ShownOperation[] = [];
  let at = 4;
  while (found.length < most && at + 5 <= payload.length) {
    const kind = OPERATION_KINDS[payload[at] ?? 0];
    if (kind === undefined || (kind !== "DELETE" && at + 9 > payload.length)) break;
    const first = view.getUint32(at + 1, true);
    const second = kind === "DELETE" ? 0 : view.getUint32(at + 5, true);
    const keyAt = at + { PUT: 9, DELETE: 5, DELETE_RANGE: 9, PUT_EXPIRING: 17 }[kind];
    const endOfKeys = keyAt + first + (kind === "DELETE_RANGE" ? second : 0);
    if (endOfKeys > payload.length) break;
    const key = payload.subarray(keyAt, keyAt + first);
    if (kind === "DELETE") found.push({ kind, key });
    else if (kind === "DELETE_RANGE")
      found.push({ kind, key, ...(second > 0 && { end: payload.subarray(keyAt + first, endOfKeys) }) });
    else if (kind === "PUT") found.push({ kind, key, valueLength: second });
    else found.push({ kind, key, valueLength: second, expiresAt: Number(view.getBigUint64(at + 9, true)) });
    at = keyAt + first + second;
  }
  return found;
}
