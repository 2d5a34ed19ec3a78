import { SimDisk } from "@kaya/io";
import { expect, it } from "vitest";
import { BlockCache, PUT, Table, TableWriter } from "../src/index.js";
import { bytes, text } from "./support/keys.js";

it("a block's keys are all found where those behind its last restart point begin otherwise than the restart points", async () => {
  const keys = Array.from({ length: 31 }, (_, n) => `key${String(n * 6).padStart(5, "0")}`);
  expect(keys[16]).toBe("key00096"); // the second restart point; those behind it have "key001"
  const disk = new SimDisk();
  const writer = await TableWriter.create(disk, "t.sst");
  for (const [n, key] of keys.entries()) await writer.add(bytes(key), PUT, n + 1, bytes(`value of ${key}`));
  await writer.finish();
  const table = await Table.open(disk, "t.sst", { cache: new BlockCache({ bytes: 2 ** 20 }) });
  const cursor = table.cursor();
  for (const [n, key] of keys.entries()) {
    expect(table.getSync(bytes(key))?.sequence).toBe(n + 1);
    expect(await cursor.seek(bytes(key))).toBe(true);
    expect(text(cursor.key)).toBe(key);
    expect(await cursor.seekBefore(bytes(key), true)).toBe(true);
    expect(text(cursor.key)).toBe(key);
  }
  await table.close();
});
