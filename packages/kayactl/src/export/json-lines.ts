import type { Engine, KeyValue, RangeOptions } from "@kaya/engine";
import { isReservedKey } from "@kaya/engine";
import { jsonField, toJson } from "../bytes.js";
import { pagesOf } from "../pages.js";

/** An entry as one JSON document: `key` or `keyHex`, `value` or `valueHex`, and `expiresAt` where the value expires. */
export function entryJson({ key, value, expiresAt }: KeyValue): string {
  return toJson({
    ...jsonField("key", key),
    ...jsonField("value", value),
    ...(expiresAt !== undefined && { expiresAt }),
  });
}

/** Some lines of an export. */
export interface ExportedLines {
  readonly entries: number;
  readonly lines: Iterable<string>;
}

/**
 * The entries of a range as JSON lines, as they are when this is called, whatever is written while they are read. The engine's own keys, under
 * which indexes stand, are left out: a program that declares an index builds it anew.
 */
export async function* jsonLines(
  reader: Pick<Engine, "scan">,
  range: RangeOptions,
): AsyncGenerator<ExportedLines, void> {
  const { limit = Number.POSITIVE_INFINITY, ...bounds } = range;
  let left = limit;
  if (left === 0) return;
  for await (const page of pagesOf(reader, bounds)) {
    const entries = page.filter(({ key }) => !isReservedKey(key)).slice(0, left);
    left -= entries.length;
    yield { entries: entries.length, lines: linesOf(entries) };
    if (left === 0) return;
  }
}

function* linesOf(entries: readonly KeyValue[]): Generator<string, void> {
  for (const entry of entries) yield `${entryJson(entry)}\n`;
}
