import { SimDisk } from "@kaya/io";
import { expect, it } from "vitest";
import { Engine } from "../src/index.js";

it("the estimate of entries is exact where all of them are in one memtable or one table, whatever was deleted", async () => {
  const engine = await Engine.open({ tables: { autoCompact: false, quietMs: 0 } }, new SimDisk());
  for (const key of ["a", "b", "c"]) await engine.put(key, "value");
  for (const key of ["c", "none", "never"]) await engine.delete(key);
  expect(engine.stats().entries).toBe(2);
  await engine.compact();
  expect(engine.stats().entries).toBe(2);
  await engine.close();
});
