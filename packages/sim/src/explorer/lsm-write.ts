import { type EntryCursor, type FlushEntry, type FlushSource, type LsmTree, PUT, TOMBSTONE } from "@kaya/lsm";

/** One change. Its place in the list of all of them, counted from 1, is its sequence. */
export type LsmOperation =
  | { readonly type: "put"; readonly key: string; readonly value: string }
  | { readonly type: "delete"; readonly key: string }
  | { readonly type: "delete-range"; readonly start: string; readonly end?: string };

/** A flush that was attempted. */
export interface LsmFlush {
  /** Everything up to the last operation that it covers. */
  readonly operations: readonly LsmOperation[];
}

const encode = (text: string) => Buffer.from(text, "utf8");
const decode = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");

/** What a flush takes that covers all operations, in a tree that has the first ones. */
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
    const isPut = operation.type === "put";
    const value = encode(isPut ? operation.value : "");
    entries.set(key, { key: encode(key), kind: isPut ? PUT : TOMBSTONE, sequence, value });
  }
  return {
    entries: [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry),
    rangeTombstones,
  };
}

/** The contents that operations lead to, as `key=value@sequence` in key order. */
export function contentsAfterOperations(operations: readonly LsmOperation[]): string[] {
  const contents = new Map<string, string>();
  for (const [index, operation] of operations.entries()) {
    if (operation.type === "put") contents.set(operation.key, `${operation.value}@${index + 1}`);
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

/** @throws Error where a way of reading shows something else */
export async function checkTree(
  tree: Pick<LsmTree, "cursor" | "get" | "getSync">,
  operations: readonly LsmOperation[],
  when: string,
): Promise<void> {
  const expected = contentsAfterOperations(operations);
  mustBe(await shownBy(tree.cursor()), expected, when);
  mustBe((await shownBy(tree.cursor(), true)).reverse(), expected, `${when}, backward`);
  const keys = new Set(operations.flatMap((operation) => ("key" in operation ? [operation.key] : [])));
  const got: string[] = [];
  for (const [index, key] of [...keys].sort().entries()) {
    const found = index % 4 === 0 ? await tree.get(encode(key)) : tree.getSync(encode(key));
    if (found !== undefined) got.push(`${key}=${decode(found.value)}@${found.sequence}`);
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
