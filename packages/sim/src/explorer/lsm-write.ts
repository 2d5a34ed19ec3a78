import {
  type EntryCursor,
  EXPIRING,
  type FlushEntry,
  type FlushSource,
  type Found,
  type LsmTree,
  PUT,
  TOMBSTONE,
} from "@kaya/lsm";

/** One change. Its place in the list of all of them, counted from 1, is its sequence. */
export type LsmOperation =
  | { readonly type: "put"; readonly key: string; readonly value: string; readonly expiresAt?: number }
  | { readonly type: "delete"; readonly key: string }
  | { readonly type: "delete-range"; readonly start: string; readonly end?: string };

/** A flush that was attempted. */
export interface LsmFlush {
  /** Everything up to the last operation that it covers. */
  readonly operations: readonly LsmOperation[];
}

const encode = (text: string) => Buffer.from(text, "utf8");
const decode = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");

/** The input of a flush of all operations that a tree does not have yet. */
export function sourceOf(operations: readonly LsmOperation[], covered: number): FlushSource {
  const entries = new Map<string, FlushEntry>();
  const rangeTombstones: { start: Uint8Array; end: Uint8Array | undefined; sequence: number }[] = [];
  for (const [index, operation] of operations.entries()) {
    const sequence = index + 1;
    if (sequence <= covered) continue;
    if (operation.type === "delete-range") {
      const { start, end } = operation;
      rangeTombstones.push({
        start: encode(start),
        end: end === undefined ? undefined : encode(end),
        sequence,
      });
      continue;
    }
    const { key } = operation;
    const found = { key: encode(key), sequence };
    if (operation.type === "delete") entries.set(key, { ...found, kind: TOMBSTONE, value: encode("") });
    else {
      const { expiresAt } = operation;
      const kind = expiresAt === undefined ? PUT : EXPIRING;
      const until = expiresAt !== undefined && { expiresAt };
      entries.set(key, { ...found, kind, value: encode(operation.value), ...until });
    }
  }
  return {
    entries: [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry),
    rangeTombstones,
  };
}

/** Behind every time of a scenario at which something has to have expired. */
export const LATEST = 10_000;

/** The contents that operations lead to, as they are at a time: `key=value@sequence` in key order. */
function contentsAfterOperations(operations: readonly LsmOperation[], now: number): string[] {
  const contents = new Map<string, string>();
  for (const [index, operation] of operations.entries()) {
    if (operation.type === "put" && (operation.expiresAt ?? Number.POSITIVE_INFINITY) > now)
      contents.set(operation.key, `${operation.value}@${index + 1}`);
    else if (operation.type === "put") contents.delete(operation.key);
    else if (operation.type === "delete") contents.delete(operation.key);
    else {
      const { start, end } = operation;
      for (const key of [...contents.keys()])
        if (key >= start && (end === undefined || key < end)) contents.delete(key);
    }
  }
  return [...contents].map(([key, value]) => `${key}=${value}`).sort();
}

/** What a cursor shows, in the order of its moves. */
export async function shownBy(cursor: EntryCursor, isBackward = false): Promise<string[]> {
  const shown: string[] = [];
  try {
    let more = await (isBackward ? cursor.seekLast() : cursor.seekFirst());
    for (; more; more = await (isBackward ? cursor.previous() : cursor.next()))
      shown.push(`${decode(cursor.key)}=${decode(cursor.value)}@${cursor.sequence}`);
    return shown;
  } finally {
    cursor.close();
  }
}

function isThere(found: Found | undefined, now: number): found is Found {
  return found !== undefined && (found.kind !== EXPIRING || found.expiresAt > now);
}

/** @throws Error where a way of reading shows something else at that time */
export async function checkTree(
  tree: Pick<LsmTree, "cursor" | "get" | "getSync">,
  operations: readonly LsmOperation[],
  when: string,
  now = LATEST,
): Promise<void> {
  const expected = contentsAfterOperations(operations, now);
  mustBe(await shownBy(tree.cursor({ now })), expected, when);
  mustBe((await shownBy(tree.cursor({ now }), true)).reverse(), expected, `${when}, backward`);
  const keys = new Set(operations.flatMap((operation) => ("key" in operation ? [operation.key] : [])));
  const got: string[] = [];
  for (const [index, key] of [...keys].sort().entries()) {
    const found = index % 4 === 0 ? await tree.get(encode(key)) : tree.getSync(encode(key));
    if (isThere(found, now)) got.push(`${key}=${decode(found.value)}@${found.sequence}`);
  }
  mustBe(got, expected, `${when}, by key`);
}

function mustBe(found: readonly string[], expected: readonly string[], when: string): void {
  if (found.length === expected.length && found.every((each, index) => each === expected[index])) return;
  const missing = expected.filter((each) => !found.includes(each));
  const wrong = found.filter((each) => !expected.includes(each));
  throw new Error(
    `${when}: ${found.length} entries, and there must be ${expected.length}; missing: ${missing.slice(0, 5)}; wrong: ${wrong.slice(0, 5)}`,
  );
}
