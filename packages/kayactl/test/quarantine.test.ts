import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filledDirectory, kayactl, snapshot, temporaryDirectory } from "./helpers.js";

const DAMAGE = "0000000000000001.wal.0-200.00000001";
const TORN = ["0000000000000002.wal.5-2053.00000002.torn", "0000000000000003.wal.5-2053.00000003.torn"];

async function keptDirectory(): Promise<string> {
  const data = await filledDirectory(2);
  await mkdir(join(data, "wal/quarantine"));
  for (const name of [DAMAGE, ...TORN])
    await writeFile(join(data, "wal/quarantine", name), Buffer.alloc(name === DAMAGE ? 200 : 2048));
  return data;
}

test("quarantine lists what was kept, and changes nothing", async () => {
  const data = await keptDirectory();
  const before = await snapshot(data);
  expect((await kayactl(["quarantine", "--data", data])).stdout).toBe(
    [
      "kind      bytes  file",
      `damage    200 B  wal/quarantine/${DAMAGE}`,
      ...TORN.map((name) => `torn    2.0 KiB  wal/quarantine/${name}`),
      "",
    ].join("\n"),
  );
  const { files } = JSON.parse((await kayactl(["quarantine", "--data", data, "--json"])).stdout);
  expect(files[1]).toEqual({ path: `wal/quarantine/${TORN[0]}`, bytes: 2048, kind: "torn" });
  expect(await snapshot(data)).toEqual(before);
  expect((await kayactl(["quarantine", "--data", await filledDirectory(1)])).stdout).toBe(
    "nothing is in quarantine\n",
  );
});

test("verify and stats say how much there is, and verify calls it no damage", async () => {
  const data = await keptDirectory();
  const row = /^quarantine +3 files, 4\.2 KiB, of that torn ends 4\.0 KiB$/m;
  const verified = await kayactl(["verify", "--data", data]);
  expect(verified.code).toBe(0);
  expect(verified.stdout).toMatch(row);
  expect((await kayactl(["stats", "--data", data])).stdout).toMatch(row);
  expect((await kayactl(["stats", "--data", await filledDirectory(1)])).stdout).not.toContain("quarantine");
});

test("quarantine --max-bytes removes torn ends, never the newest, and nothing that was kept for damage", async () => {
  const data = await keptDirectory();
  const { stdout } = await kayactl(["quarantine", "--max-bytes", "0", "--data", data]);
  expect(stdout).toBe("OK files_removed=1 bytes_removed=2048\n");
  expect(await readdir(join(data, "wal/quarantine"))).toEqual([DAMAGE, TORN[1]]);
  const again = await kayactl(["quarantine", "--max-bytes", "0", "--data", data, "--json"]);
  expect(JSON.parse(again.stdout)).toEqual({ ok: true, filesRemoved: 0, bytesRemoved: 0 });
});

test("quarantine wants a data directory and a whole number", async () => {
  const data = await temporaryDirectory();
  await writeFile(join(data, "something"), "else");
  expect((await kayactl(["quarantine", "--data", data])).code).toBe(2);
  expect((await kayactl(["quarantine", "--max-bytes", "1k", "--data", data])).code).toBe(4);
});
