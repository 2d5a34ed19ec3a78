import type { Engine } from "@kaya/engine";
import { type Contents, checkContents, contentsOf, type EngineWrite } from "./engine-write.js";

type Readable = Pick<Engine, "scan" | "get" | "getSync" | "count">;

/** Keys that the writes name one by one. */
export function keysOf(writes: Iterable<EngineWrite>): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { write } of writes) {
    if ("clear" in write) continue;
    for (const operation of write) if (operation.type !== "clear") keys.add(String(operation.key));
  }
  return keys;
}

/**
 * Each way of reading shows the same: in both directions, by key and by count.
 * @param keys that may have been written: those that are not expected must be absent
 * @throws Error that says which way shows something else
 */
export async function checkReads(
  engine: Readable,
  expected: Contents,
  keys: ReadonlySet<string>,
  when: string,
): Promise<void> {
  checkContents(await contentsOf(engine), expected, when);
  checkContents(await contentsOf(engine, { reverse: true }), expected, `${when}, backward,`);
  const got = new Map<string, string>();
  for (const [index, key] of [...keys].sort().entries()) {
    const value = index % 2 === 0 ? await engine.get(key) : engine.getSync(key);
    if (value !== undefined) got.set(key, Buffer.from(value).toString());
  }
  checkContents(got, expected, `${when}, by key,`);
  const count = await engine.count();
  if (count !== expected.size) throw new Error(`${when} it counts ${count} keys, not ${expected.size}`);
}
