import type { Engine, KeyValue, RangeOptions } from "@kaya/engine";

const PAGE_BYTES = 4 * 1024 * 1024;
const PAGE_ENTRIES = 1000;

/** The entries of a range at one moment, in pages of about as many bytes: few large values, or many small ones. */
export async function* pagesOf(
  reader: Pick<Engine, "scan">,
  range: RangeOptions,
): AsyncGenerator<KeyValue[], void> {
  let page: KeyValue[] = [];
  let bytes = 0;
  for await (const entry of reader.scan(range)) {
    page.push(entry);
    bytes += entry.key.length + entry.value.length;
    if (page.length < PAGE_ENTRIES && bytes < PAGE_BYTES) continue;
    yield page;
    [page, bytes] = [[], 0];
  }
  if (page.length > 0) yield page;
}
