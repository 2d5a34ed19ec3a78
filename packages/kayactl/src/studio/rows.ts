import type { KeyValue, RangeOptions } from "@kaya/engine";
import type { Row, RowPage } from "./api.js";
import { toText } from "./base64url.js";
import { type ByteBounds, before, behind, RANGE_PARAMETERS, readBounds, shownParts } from "./key-range.js";
import type { Parameters } from "./parameters.js";
import type { Reading } from "./reading.js";

export const ROW_PARAMETERS: readonly string[] = [...RANGE_PARAMETERS, "reverse", "limit", "cursor"];

const DEFAULT_ROWS = 100;
const MOST_ROWS = 1000;
/** A page ends once the values that were read for it have this many bytes. */
const MOST_VALUE_BYTES = 64 * 1024 * 1024;
/** The part of a value that a row and a change have. */
export const HEAD_BYTES = 256;

export interface RowRequest {
  readonly bounds: ByteBounds;
  readonly isReverse: boolean;
  readonly isInternal: boolean;
  readonly limit: number;
}

/** @throws Refusal */
export function readRowRequest(parameters: Parameters): RowRequest {
  const isReverse = parameters.flag("reverse");
  const bounds = readBounds(parameters);
  const cursor = parameters.bytes("cursor"); // the last key of the page before
  return {
    bounds: cursor === undefined ? bounds : isReverse ? before(bounds, cursor) : behind(bounds, cursor),
    isReverse,
    isInternal: parameters.flag("internal"),
    limit: parameters.number("limit", 1, MOST_ROWS) ?? DEFAULT_ROWS,
  };
}

export async function readRows(reading: Reading, request: RowRequest): Promise<RowPage> {
  const rows: Row[] = [];
  let bytes = 0;
  for (const range of rangesOf(request)) {
    for await (const entry of reading.scan(range)) {
      const last = rows.at(-1);
      if (last !== undefined && (rows.length === request.limit || bytes > MOST_VALUE_BYTES))
        return { rows, next: last.key };
      rows.push(toRow(entry));
      bytes += entry.value.length;
    }
  }
  return { rows };
}

/** The ranges to scan, one after the other. */
export function rangesOf({ bounds, isInternal, isReverse }: Omit<RowRequest, "limit">): RangeOptions[] {
  return shownParts(bounds, isInternal, isReverse).map((part) => ({ ...part, reverse: isReverse }));
}

function toRow({ key, value, expiresAt }: KeyValue): Row {
  return {
    key: toText(key),
    length: value.length,
    head: toText(value.subarray(0, HEAD_BYTES)),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}
