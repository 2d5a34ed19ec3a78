import { SimDisk } from "@kaya/io";
import { expect, test } from "vitest";
import { Engine, recover, recoverTo } from "../src/index.js";
import { markFinished, markUnfinished } from "../src/shipping.js";

test("a directory that is being filled from elsewhere is opened by nobody, and stays as it is", async () => {
  const disk = new SimDisk();
  const engine = await Engine.open({}, disk);
  await engine.put("a", "1");
  await engine.close();
  await markUnfinished(disk, "a restored store");
  const before = disk.nextOperation;
  const refused = { code: "KAYA_INVALID_ARGUMENT", message: expect.stringContaining("UNFINISHED") };
  const into = new SimDisk();
  for (const open of [
    () => Engine.open({}, disk),
    () => Engine.open({ readOnly: true }, disk),
    () => Engine.open({ allowForeignFiles: true, disableLocking: true }, disk),
    () => recover({}, disk),
    () => recover({}, disk, { dryRun: true }),
    () => recoverTo({}, { lsn: 1, into }, disk),
  ])
    await expect(open()).rejects.toMatchObject(refused);
  expect(disk.nextOperation).toBe(before);
  expect(await into.list("")).toEqual([]);

  disk.crash({ survive: "nothing" });
  await expect(Engine.open({}, disk)).rejects.toMatchObject(refused);
  await markFinished(disk);
  disk.crash({ survive: "nothing" });
  const again = await Engine.open({}, disk);
  expect(await again.count()).toBe(1);
  await again.close();
});
