import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Run } from "../src/run.js";

const execute = promisify(execFile);
const BIN = fileURLToPath(new URL("../dist/bin.js", import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "kaya-bench-run-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const bench = (...argv: string[]) => execute(process.execPath, [BIN, ...argv]);

test("a run measures each system in each round, writes its reports and leaves no data", async () => {
  const [json, markdown, svg, again] = ["r.json", "r.md", "r.svg", "again.md"].map((name) =>
    join(dir, name),
  ) as [string, string, string, string];
  const data = join(dir, "data");
  const only = ["--only", "^durable-puts/1$", "--systems", "kaya,raw-loop", "--rounds", "2"];
  const { stdout } = await bench(
    ...only,
    "--dir",
    data,
    "--json",
    json,
    "--markdown",
    markdown,
    "--svg",
    svg,
  );
  const run = JSON.parse(await readFile(json, "utf8")) as Run;
  expect(run.failures).toEqual([]);
  expect(run.samples).toHaveLength(4);
  expect(run.samples.every(({ value }) => value > 0)).toBe(true);
  expect(stdout).toContain("durable puts, 1 in flight");
  expect(await readFile(svg, "utf8")).toContain("</svg>");
  expect(await readdir(data)).toEqual([]);

  await bench("--from", json, "--markdown", again);
  expect(await readFile(again, "utf8")).toBe(await readFile(markdown, "utf8"));

  const document = join(dir, "document.md");
  await writeFile(document, "# T\n\n<!-- bench:report -->\n<!-- /bench -->\n");
  await bench("--from", json, "--into", document);
  expect(await readFile(document, "utf8")).toContain(await readFile(markdown, "utf8"));
});

test("a store is opened after a real kill, and profiles are written where they are wanted", async () => {
  const [json, profile] = [join(dir, "kill.json"), join(dir, "profile")];
  const only = ["--only", "^after-a-kill/", "--systems", "kaya", "--rounds", "1"];
  await bench(...only, "--dir", join(dir, "data"), "--json", json, "--profile", profile);
  const run = JSON.parse(await readFile(json, "utf8")) as Run;
  expect(run.failures).toEqual([]);
  expect(run.samples.map(({ row }) => row)).toEqual(["after-a-kill/first-get"]);
  const files = await readdir(join(profile, "after-a-kill-kaya-1"));
  expect(files.some((name) => name.endsWith(".cpuprofile"))).toBe(true);
});

test("the plan is told, and nothing is measured", async () => {
  const data = join(dir, "plan");
  const { stdout, stderr } = await bench("--full", "--plan", "--dir", data);
  expect(stdout).toMatch(/^durable-puts: 8 rows by 4 measurements x /);
  expect(stdout).toMatch(/\nin all [\d.]+ minutes are timed; .*\n$/);
  expect(stderr).toBe("");
  await expect(readdir(data)).rejects.toThrow("ENOENT");
});

test("a mistake is told, with exit code 1", async () => {
  await expect(bench("--systems", "nosuch")).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("nosuch is none of"),
  });
});
