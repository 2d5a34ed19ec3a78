import type { Engine } from "@kaya/engine";
import { entryKey } from "../data.js";
import type { Scale } from "../scale.js";
import { PAGE_ENTRIES } from "../system.js";
import type { Workload } from "../workload.js";
import { sizeName } from "./growth.js";
import { memoryRow, openRelaxed, putEntries, residentMib, writeAll } from "./long-life.js";

const WAVES = 10;
/** The part of a wave's entries that stays through all waves. */
const STAYING = 0.2;

/** Entries that come and go in waves, over some that stay: memory that remains of the removed ones. */
export const waves: Workload = {
  name: "waves",
  rows: ({ waves: count }: Scale) => {
    const of = `${sizeName(count)} inserts and deletes in ${WAVES} waves`;
    return [memoryRow("waves", of)];
  },
  runsOn: (system) => system.kind === "kaya",
  async run({ scale, dir, report }) {
    const engine = await openRelaxed(dir);
    const wave = Math.ceil(scale.waves / WAVES);
    const staying = wave * STAYING;
    await putEntries(engine, 0, staying);
    for (let i = 0; i < WAVES; i++) await comeAndGo(engine, staying + i * wave, staying + (i + 1) * wave);
    await expectEntries(engine, staying);
    report("waves/memory", await residentMib(engine));
    await engine.close();
  },
};

async function comeAndGo(engine: Engine, from: number, to: number): Promise<void> {
  await putEntries(engine, from, to);
  await writeAll(from, to, (i) => engine.delete(entryKey(i)));
}

async function expectEntries(engine: Engine, expected: number): Promise<void> {
  let found = 0;
  for await (const page of engine.scan().pages(PAGE_ENTRIES)) found += page.length;
  if (found !== expected) throw new Error(`${found} entries stayed of ${expected}`);
}
