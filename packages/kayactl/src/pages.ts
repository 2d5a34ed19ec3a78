import type { Engine, KeyValue, RangeOptions } from "@kaya/engine";

const PAGE_BYTES = 4 * 1024 * 1024;
const MOST_ENTRIES = 1000;

/** The entries of a range at one moment, in pages of about as many bytes: few large values, or many small ones. */
export async function* pagesOf(engine: Engine, range: RangeOptions): AsyncGenerator<KeyValue[], void> {
  let page: KeyValue[] = [];
  let bytes = 0;
  for await (const slice of slicesOf(engine, range)) {
    for (const entry of slice) page.push(entry);
    bytes += bytesOf(slice);
    if (page.length < MOST_ENTRIES && bytes < PAGE_BYTES) continue;
    yield page;
    [page, bytes] = [[], 0];
  }
  if (page.length > 0) yield page;
}

/** The first slices are small, until it is known how large entries are. */
async function* slicesOf(engine: Engine, range: RangeOptions): AsyncGenerator<KeyValue[], void> {
  const snapshot = engine.snapshot();
  try {
    let rest: RangeOptions | undefined = range;
    for (let size = 1; rest !== undefined; ) {
      const slice: KeyValue[] = await firstPage(snapshot.scan(rest).pages(size));
      yield slice;
      const last: KeyValue | undefined = slice.length < size ? undefined : slice.at(-1);
      rest = last && behind(rest, last.key, slice.length);
      const fitting = Math.floor((PAGE_BYTES * slice.length) / (bytesOf(slice) + 1));
      size = Math.max(1, Math.min(size * 4, MOST_ENTRIES, fitting));
    }
  } finally {
    snapshot.close();
  }
}

function bytesOf(entries: readonly KeyValue[]): number {
  return entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}

async function firstPage(pages: AsyncIterable<KeyValue[]>): Promise<KeyValue[]> {
  for await (const page of pages) return page;
  return [];
}

/** What is left of a range behind a key, once so many entries were read. */
function behind(range: RangeOptions, key: Uint8Array, count: number): RangeOptions {
  const { limit, reverse = false } = range;
  return {
    ...range,
    [reverse ? "lt" : "gt"]: key,
    ...(limit !== undefined && { limit: limit - count }),
  };
}
