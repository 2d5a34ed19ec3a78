import { copyBytes } from "@kaya/core";
import type { RangeOptions } from "@kaya/engine";
import type { Data } from "./format.js";

/** A range as abstract-level hands it on. */
export interface LevelRange {
  readonly gt?: Data;
  readonly gte?: Data;
  readonly lt?: Data;
  readonly lte?: Data;
  readonly reverse: boolean;
}

export type Bounds = Pick<RangeOptions, "gt" | "gte" | "lt" | "lte" | "reverse">;

/**
 * The same for the engine, copied: the caller may change its own. As abstract-level demands, `gte` and `lte` take precedence over `gt` and
 * `lt`; for the engine all bounds hold.
 */
export function toBounds({ gt, gte, lt, lte, reverse }: LevelRange): Bounds {
  return {
    ...(gte !== undefined ? { gte: copy(gte) } : gt !== undefined ? { gt: copy(gt) } : {}),
    ...(lte !== undefined ? { lte: copy(lte) } : lt !== undefined ? { lt: copy(lt) } : {}),
    reverse,
  };
}

/** The part of a range from `target` on, in its direction; undefined if the target is outside the range. */
export function boundsFrom(bounds: Bounds, target: Data): Bounds | undefined {
  const { gt, gte, lt, lte, reverse } = bounds;
  const isOutside =
    (gt !== undefined && compare(target, gt) <= 0) ||
    (gte !== undefined && compare(target, gte) < 0) ||
    (lt !== undefined && compare(target, lt) >= 0) ||
    (lte !== undefined && compare(target, lte) > 0);
  if (isOutside) return undefined;
  return { ...bounds, [reverse ? "lte" : "gte"]: copy(target) };
}

/** The rest of a range after `key`. */
export function boundsBehind(bounds: Bounds, key: Uint8Array): Bounds {
  return { ...bounds, [bounds.reverse ? "lt" : "gt"]: copy(key) };
}

function copy<T extends Data>(data: T): T | Uint8Array {
  return typeof data === "string" ? data : copyBytes(data, "a bound");
}

function compare(a: Data, b: Data): number {
  return Buffer.compare(asBytes(a), asBytes(b));
}

function asBytes(data: Data): Uint8Array {
  return typeof data === "string" ? Buffer.from(data) : data;
}
