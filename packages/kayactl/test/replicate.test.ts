import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Engine } from "@kaya/engine";
import { expect, test } from "vitest";
import { parseS3 } from "../src/replica/store-address.js";
import { filledDirectory, kayactl, temporaryDirectory } from "./helpers.js";

async function rowsOf(data: string): Promise<string> {
  const { code, stdout } = await kayactl(["scan", "--json", "--data", data]);
  expect(code).toBe(0);
  return stdout;
}

test("replicate ships a directory, and restore builds it again, at any LSN", async () => {
  const data = await filledDirectory(20);
  const work = await temporaryDirectory();
  const store = join(work, "store");
  const { code, stdout, stderr } = await kayactl(["replicate", store, "--data", data]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^OK lsn=20 time=\d{4}-.*Z store=.*store\n$/);
  await kayactl(["put", "later", "1", "--data", data]);
  expect((await kayactl(["replicate", pathToFileURL(store).href, "--data", data])).stdout).toContain(
    "lsn=21 ",
  );

  const restored = await kayactl(["restore", store, join(work, "newest")]);
  expect({ code: restored.code, stderr: restored.stderr }).toEqual({ code: 0, stderr: "" });
  expect(restored.stdout).toMatch(/^OK lsn=21 time=.*Z tables=0 records=21 dir=.*newest\n$/);
  expect(await rowsOf(join(work, "newest"))).toBe(await rowsOf(data));
  expect((await kayactl(["verify", "--data", join(work, "newest")])).code).toBe(0);

  const before = await kayactl(["restore", store, join(work, "before"), "--lsn", "20", "--json"]);
  expect(JSON.parse(before.stdout)).toMatchObject({ ok: true, lsn: 20, baseLsn: 0, recordCount: 20 });
  expect(await rowsOf(join(work, "before"))).not.toContain("later");
});

test("replicate --json and restore --list --json are one document each", async () => {
  const data = await filledDirectory(20);
  const store = join(await temporaryDirectory(), "store");
  const { stdout } = await kayactl(["replicate", store, "--json", "--data", data]);
  expect(JSON.parse(stdout)).toEqual({
    ok: true,
    lsn: 20,
    sequence: 20,
    time: expect.stringMatching(/Z$/),
    generation: expect.any(String),
    store,
  });
  const listed = await kayactl(["restore", "--list", store, "--json"]);
  expect(JSON.parse(listed.stdout)).toEqual({
    generations: [
      {
        generation: JSON.parse(stdout).generation,
        by: expect.stringContaining(data),
        first: { lsn: 0, time: expect.stringMatching(/Z$/) },
        last: { lsn: 20, time: JSON.parse(stdout).time },
        bases: 1,
      },
    ],
  });
  expect((await kayactl(["restore", "--list", store])).stdout).toMatch(/^ *LSN .*by\n +0 .* 20 .*1 {2}host/);
});

test("replicate --follow ships beside a program that writes, until it is interrupted", async () => {
  const data = await filledDirectory(20);
  const work = await temporaryDirectory();
  const store = join(work, "store");
  const db = await Engine.open({ dataDir: data });
  const interruption = new AbortController();
  const following = kayactl(["replicate", store, "--follow", "--interval", "0.1", "--json", "--data", data], {
    signal: interruption.signal,
  });
  for (let i = 0; i < 30; i++) {
    await db.put(`live ${i}`, "x");
    if (i % 10 === 5) await db.flush();
  }
  const { lastLsn } = db.stats();
  for (;;) {
    const { code, stdout } = await kayactl(["restore", "--list", store, "--json"]);
    if (code === 0 && JSON.parse(stdout).generations.at(-1).last.lsn === lastLsn) break;
  }
  interruption.abort();
  const { code, stdout } = await following;
  expect(code).toBe(0);
  expect(JSON.parse(stdout.split("\n")[0] as string)).toMatchObject({ lsn: expect.any(Number) });
  await kayactl(["restore", store, join(work, "copy")]);
  await db.close();
  expect(await rowsOf(join(work, "copy"))).toBe(await rowsOf(data));
});

test("restore refuses what it cannot do, and leaves nothing", async () => {
  const data = await filledDirectory(20);
  const work = await temporaryDirectory();
  const store = join(work, "store");
  const into = join(work, "into");
  expect((await kayactl(["restore", store, into])).code).toBe(2);
  expect((await kayactl(["restore", "--list", store])).code).toBe(2);
  await kayactl(["replicate", store, "--data", data]);
  const late = await kayactl(["restore", store, into, "--lsn", "21"]);
  expect(late).toMatchObject({ code: 4, stderr: expect.stringContaining("LSN 0 to 20") });
  expect((await kayactl(["restore", store, into, "--time", "2020-01-01T00:00:00Z"])).code).toBe(4);
  expect((await kayactl(["restore", store, into, "--time", "yesterday"])).code).toBe(4);
  const other = await kayactl(["restore", store, into, "--generation", "none"]);
  expect(other).toMatchObject({ code: 4, stderr: expect.stringContaining("no generation none") });
  expect((await kayactl(["restore", store])).code).toBe(4);
  expect((await kayactl(["restore", store, into, "--list"])).code).toBe(4);
  expect((await kayactl(["restore", "http://somewhere/", into])).code).toBe(4);
  await mkdir(into);
  await writeFile(join(into, "mine.txt"), "");
  const full = await kayactl(["restore", store, into]);
  expect(full).toMatchObject({ code: 4, stderr: expect.stringContaining("mine.txt") });
  expect(await readdir(into)).toEqual(["mine.txt"]);
  await rm(join(store, "log"), { recursive: true });
  await writeFile(join(store, "run", "not-one"), "");
  expect((await kayactl(["replicate", store, "--data", join(work, "absent")])).code).toBe(2);
});

test("an address of S3 says bucket, prefix and server, and no key", () => {
  expect(parseS3("s3://bucket/a/b/")).toEqual({ bucket: "bucket", prefix: "a/b", forcePathStyle: false });
  expect(parseS3("s3://bucket?endpoint=http://127.0.0.1:9000")).toEqual({
    bucket: "bucket",
    endpoint: "http://127.0.0.1:9000",
    region: "us-east-1",
    forcePathStyle: true,
  });
  expect(parseS3("s3://bucket/a?region=eu-central-1&path-style=true")).toEqual({
    bucket: "bucket",
    prefix: "a",
    region: "eu-central-1",
    forcePathStyle: true,
  });
  for (const wrong of [
    "s3://",
    "s3:///a",
    "s3://key:secret@bucket/a",
    "s3://bucket?secret=x",
    "s3://b?path-style=maybe",
  ])
    expect(() => parseS3(wrong)).toThrow(expect.objectContaining({ code: "KAYA_INVALID_ARGUMENT" }));
});
