import assert from "node:assert/strict";
import type { Say } from "./main.js";
import { YStore } from "./y-store.js";

const MERGE_AFTER = 7;
const AT_ONCE = 5;

export async function check(dataDir: string, said: readonly string[]): Promise<void> {
  const store = new YStore(dataDir, MERGE_AFTER);
  const { doc } = await store.open("lines");
  const lines = doc.getArray<string>("lines").toArray();
  assert.equal(new Set(lines).size, lines.length, "a line is there twice");
  const positions = said.map((line) => lines.indexOf(line));
  assert.equal(positions.indexOf(-1), -1, "a line was saved, and is lost");
  assert.deepEqual(
    positions,
    positions.toSorted((a, b) => a - b),
    "lines are in another order",
  );
  await store.close();
}

export async function work(dataDir: string, say: Say): Promise<void> {
  const page = await new YStore(dataDir, MERGE_AFTER).open("lines");
  const array = page.doc.getArray<string>("lines");
  for (;;) {
    const lines = Array.from({ length: AT_ONCE }, (_, index) => `line ${array.length + index}`);
    for (const line of lines) array.push([line]);
    await page.saved();
    for (const line of lines) say(line);
  }
}
