import { Engine, json } from "@kaya/engine";
import { expect, test } from "vitest";
import { absentDirectory, kayactl, snapshot } from "./helpers.js";

async function indexed(): Promise<string> {
  const data = await absentDirectory();
  const engine = await Engine.open({ dataDir: data });
  const users = engine.view({
    prefix: "users:",
    key: "utf8",
    value: json<{ email: string; tags: string[] }>(),
    indexes: { byEmail: { of: (user) => user.email, unique: true }, byTag: { each: (user) => user.tags } },
  });
  await users.put("1", { email: "ada@x", tags: ["a", "b"] });
  await users.put("2", { email: "grace@x", tags: ["a"] });
  await users.ready();
  await engine.flush();
  await engine.close();
  return data;
}

/** Writes past the indexes: this program declares none. */
async function past(data: string): Promise<void> {
  const engine = await Engine.open({ dataDir: data });
  await engine.delete("users:2");
  await engine.close();
}

test("verify counts the entries of indexes, and changes nothing", async () => {
  const data = await indexed();
  const before = await snapshot(data);
  const { code, stdout } = await kayactl(["verify", "--data", data]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^CLEAN .*\n/);
  expect(stdout).toMatch(
    /^indexes {7}byEmail of "users:", 2 entries, unique\n {14}byTag of "users:", 3 entries$/m,
  );
  const { indexes } = JSON.parse((await kayactl(["verify", "--data", data, "--json"])).stdout);
  const summary = { prefix: "users:", codec: "utf8", version: 1, state: "ready" };
  expect(indexes).toEqual([
    { ...summary, name: "byEmail", unique: true, entries: 2 },
    { ...summary, name: "byTag", unique: false, entries: 3 },
  ]);
  expect(await snapshot(data)).toEqual(before);
});

test("verify finds entries whose row was written past them, and says how they are mended", async () => {
  const data = await indexed();
  await past(data);
  const { code, stdout } = await kayactl(["verify", "--data", data]);
  expect(code).toBe(3);
  expect(stdout).toMatch(/^DAMAGED .*\n/);
  expect(stdout).toContain(
    'an entry of the index "byEmail" of "users:" leads to the row "users:2", which is not there',
  );
  expect(stdout).toContain("Raise the `version`");
  const { ok, damageCount, damage } = JSON.parse(
    (await kayactl(["verify", "--data", data, "--json"])).stdout,
  );
  expect({ ok, damageCount }).toEqual({ ok: false, damageCount: 2 });
  expect(damage[0]).toEqual({
    index: "no-row",
    keyHex: "ff6b617961006900000001677261636540780000",
    message: 'an entry of the index "byEmail" of "users:" leads to the row "users:2", which is not there',
  });
});
