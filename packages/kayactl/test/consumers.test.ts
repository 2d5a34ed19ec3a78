import { join } from "node:path";
import { Engine } from "@kaya/engine";
import { describe, expect, test } from "vitest";
import { absentDirectory, filledDirectory, flipInFile, kayactl, snapshot } from "./helpers.js";

const WAL = { segmentMaxBytes: 1000, maxRecordBytes: 1000 };

/** A directory in which "slow" has acknowledged nothing of 20 writes, and "quick" all of them; in five segments, four of them covered. */
async function followedDirectory(maxKeptLogBytes = 1e6): Promise<string> {
  const data = await absentDirectory();
  const engine = await open(data, maxKeptLogBytes);
  await engine.addConsumer("slow");
  for (let i = 0; i < 20; i++) await engine.put("k", "x".repeat(150));
  await engine.addConsumer("quick");
  await engine.flush();
  await engine.close();
  return data;
}

function open(dataDir: string, maxKeptLogBytes = 1e6): Promise<Engine> {
  const tables = { autoFlush: false };
  return Engine.open({ dataDir, wal: WAL, tables, changes: { maxKeptLogBytes } });
}

describe("consumers", () => {
  test("lists them with what is kept for each, and changes nothing", async () => {
    const data = await followedDirectory();
    const before = await snapshot(data);
    expect(await kayactl(["consumers", "--data", data])).toEqual({
      code: 0,
      stdout: [
        "name   LSN  log kept  next change",
        "quick   20       0 B  in the log",
        "slow     0   3.9 KiB  in the log",
        "",
      ].join("\n"),
      stderr: "",
    });
    expect(await snapshot(data)).toEqual(before);
  });

  test("--json says the same, beside a process that has the directory open", async () => {
    const data = await followedDirectory();
    const engine = await open(data);
    const { code, stdout } = await kayactl(["consumers", "--json", "--data", data]);
    const [quick, slow] = engine.consumers();
    const { keptLogBytes } = engine.stats().changes;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      consumers: [
        { ...quick, keptLogBytes: 0 },
        { ...slow, keptLogBytes },
      ],
    });
    await engine.close();
  });

  test("says where there are none", async () => {
    const data = await filledDirectory(1);
    expect(await kayactl(["consumers", "--data", data])).toEqual({
      code: 0,
      stdout: "no consumers\n",
      stderr: "",
    });
    expect((await kayactl(["consumers", "--json", "--data", data])).stdout).toBe('{"consumers":[]}\n');
    expect((await kayactl(["consumers", "--data", `${data}-absent`])).code).toBe(2);
  });

  test("says who has lost its place", async () => {
    const data = await followedDirectory(0);
    expect((await kayactl(["consumers", "--data", data])).stdout).toMatch(
      /^slow +0 +0 B {2}not in the log any more$/m,
    );
  });

  test("a damaged file of theirs is told with exit code 3", async () => {
    const data = await followedDirectory();
    await flipInFile(join(data, "consumers"), 20);
    const { code, stdout, stderr } = await kayactl(["consumers", "--data", data]);
    expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
    expect(stderr).toMatch(/^error KAYA_CORRUPTION: consumers/);
  });
});

describe("consumers --remove", () => {
  test("takes one away, and the log that only it needed", async () => {
    const data = await followedDirectory();
    const { stdout } = await kayactl(["consumers", "--json", "--data", data]);
    const { keptLogBytes } = JSON.parse(stdout).consumers[1];
    expect(keptLogBytes).toBeGreaterThan(3000);
    expect(await kayactl(["consumers", "--remove", "slow", "--data", data])).toEqual({
      code: 0,
      stdout: `OK removed=slow log_bytes_dropped=${keptLogBytes}\n`,
      stderr: "",
    });
    expect((await kayactl(["consumers", "--data", data])).stdout).not.toContain("slow");
    expect((await kayactl(["consumers", "--remove", "quick", "--json", "--data", data])).stdout).toBe(
      '{"ok":true,"name":"quick","logBytesDropped":0}\n',
    );
    const engine = await open(data);
    expect(engine.consumers()).toEqual([]);
    expect(engine.stats().wal.bytes).toBe(0);
    await engine.close();
  });

  test("an unknown name is not found, and no name is a mistake", async () => {
    const data = await followedDirectory();
    const { code, stderr } = await kayactl(["consumers", "--remove", "nobody", "--data", data]);
    expect(code).toBe(2);
    expect(stderr).toContain('error KAYA_NOT_FOUND: there is no consumer "nobody"');
    expect((await kayactl(["consumers", "--remove", "", "--data", data])).code).toBe(4);
    expect((await kayactl(["consumers", "--remove"])).code).toBe(4);
  });

  test("needs the directory for itself", async () => {
    const data = await followedDirectory();
    const engine = await open(data);
    expect((await kayactl(["consumers", "--remove", "slow", "--data", data])).code).toBe(6);
    expect(engine.consumers().length).toBe(2);
    await engine.close();
  });
});

describe("stats", () => {
  test("has a row for consumers where there are some, from inside and from outside", async () => {
    const none = await kayactl(["stats", "--data", await filledDirectory(1)]);
    expect(none.stdout).not.toContain("consumers");
    const data = await followedDirectory();
    const row = /^consumers +2, keeping 3\.9 KiB of the log$/m;
    expect((await kayactl(["stats", "--data", data])).stdout).toMatch(row);
    const engine = await open(data);
    expect((await kayactl(["stats", "--data", data])).stdout).toMatch(row);
    const { changes } = JSON.parse((await kayactl(["stats", "--json", "--data", data])).stdout);
    expect(changes).toEqual({ consumers: 2, keptLogBytes: engine.stats().changes.keptLogBytes });
    await engine.close();
  });
});
