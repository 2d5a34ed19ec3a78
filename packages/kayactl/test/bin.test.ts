import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import {
  absentDirectory,
  BIN,
  bin,
  child,
  filledDirectory,
  flipInFile,
  snapshot,
  temporaryDirectory,
} from "./helpers.js";

// A process takes its time to start on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

/** A user who may not do everything; undefined where there is none to become. */
const NOBODY = process.getuid?.() === 0 ? 65534 : undefined;
const quote = (text: string) => `'${text}'`;
const program = `${quote(process.execPath)} ${quote(BIN)}`;

describe("the built program", () => {
  test("is executable by its first line", async () => {
    expect(await readFile(BIN, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(await bin("--version")).toMatchObject({ code: 0, stderr: "" });
  });

  test("writes and reads, without colours in a pipe", async () => {
    const data = await absentDirectory();
    expect(await bin("put", "a", "1", "--data", data)).toEqual({
      code: 0,
      stdout: "OK sequence=1 lsn=1 durable=true\n",
      stderr: "",
    });
    expect(await bin("scan", "--data", data)).toEqual({ code: 0, stdout: "a\t1\n", stderr: "" });
    expect(await bin("get", "b", "--data", data)).toEqual({ code: 2, stdout: "NOT_FOUND\n", stderr: "" });
    expect((await bin("get", "--data", data)).code).toBe(4);
    await flipInFile(join(data, "wal", "0000000000000001.wal"), 0);
    expect((await bin("verify", "--data", data)).code).toBe(3);
  });

  test("says so and ends with 1 if no etcd can be reached", async () => {
    const { code, stderr } = await bin(
      "cluster",
      "status",
      "--etcd",
      "http://127.0.0.1:1",
      "--prefix",
      "/orders",
    );
    expect(stderr).toMatch(/^error KAYA_NO_MAJORITY: etcd 127\.0\.0\.1:1 \/orders: .*ECONNREFUSED/);
    expect(code).toBe(1);
  });

  test("| head ends it quietly with 0", async () => {
    const data = await filledDirectory(50_000); // far over what a pipe holds
    for (const command of [
      `scan --data ${quote(data)}`,
      `scan --json --data ${quote(data)}`,
      `export --data ${quote(data)}`,
      `inspect wal ${quote(data)}`,
      `inspect wal ${quote(data)} --records`,
    ]) {
      const { stdout, stderr } = await child("sh", [
        "-c",
        `{ ${program} ${command}; echo "exit $?" >&2; } | head -c 20`,
      ]);
      expect(stdout).toHaveLength(20);
      expect(stderr).toBe("exit 0\n");
    }
  });

  test("a slow reader gets everything", async () => {
    const data = await filledDirectory(20_000);
    const { stdout, stderr } = await child("sh", [
      "-c",
      `${program} scan --data ${quote(data)} | (sleep 1; wc -l)`,
    ]);
    expect({ lines: stdout.trim(), stderr }).toEqual({ lines: "20000", stderr: "" });
  });

  test("reads a value from a pipe and gives it back raw", async () => {
    const data = quote(await absentDirectory());
    const { stdout, stderr } = await child("sh", [
      "-c",
      `head -c 300000 /dev/zero | ${program} put zeros - --data ${data} && ${program} get zeros --raw --data ${data} | wc -c`,
    ]);
    expect(stderr).toBe("");
    expect(stdout.replace(/\s+/g, " ")).toBe("OK sequence=1 lsn=1 durable=true 300000 ");
  });

  test("SIGINT ends it with 130", async () => {
    const data = await absentDirectory();
    const { code } = await child(process.execPath, [BIN, "put", "a", "-", "--data", data], {
      // More than a pipe holds: once all of it is gone, the program waits for the rest of its standard input.
      afterStart: (put) => put.stdin.write(Buffer.alloc(8 * 2 ** 20), () => put.kill("SIGINT")),
    });
    expect(code).toBe(130);
  });

  test("a full disk behind standard output ends with 1", async (context) => {
    if (process.platform !== "linux") return context.skip();
    const data = await filledDirectory(1);
    const { stderr } = await child("sh", [
      "-c",
      `${program} scan --data ${quote(data)} > /dev/full; echo "exit $?" >&2`,
    ]);
    expect(stderr).toBe("error KAYA_DISK_FULL: cannot write the output: ENOSPC\nexit 1\n");
  });
});

describe("a directory that may only be read", () => {
  test("is read, verified and inspected, and refuses the rest with 1", async (context) => {
    const data = await filledDirectory(3);
    const asNobody = (...argv: string[]) =>
      child(process.execPath, [BIN, ...argv, "--data", data], NOBODY === undefined ? {} : { uid: NOBODY });
    await chmod(join(data, ".."), 0o755);
    const probe = await asNobody("--version").catch(() => undefined);
    if (probe?.code !== 0) return context.skip(); // this user may not even read the program
    for (const [path, mode] of [
      ["wal/0000000000000001.wal", 0o444],
      ["LOCK", 0o444],
      ["wal", 0o555],
      ["", 0o555],
    ] as const) {
      await chmod(join(data, path), mode);
    }
    const before = await snapshot(data);
    expect((await asNobody("verify")).code).toBe(0);
    expect((await asNobody("recover", "--dry-run")).code).toBe(0);
    expect((await asNobody("inspect", "wal", data)).stdout).toContain("lsn=3");
    expect((await asNobody("get", "key-00000")).stdout).toBe("value-0\n");
    expect((await asNobody("scan", "--limit", "1")).stdout).toBe("key-00000\tvalue-0\n");
    expect((await asNobody("stats")).stdout).toMatch(/^entries +3$/m);
    for (const argv of [["put", "a", "b"], ["delete", "a"], ["recover"], ["flush"], ["compact"]]) {
      const { code, stdout, stderr } = await asNobody(...argv);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^error KAYA_IO: .*EACCES/);
    }
    expect(await snapshot(data)).toEqual(before);
    await chmod(data, 0o755);
    await chmod(join(data, "wal"), 0o755);
  });

  test("one that may not be read at all says so", async (context) => {
    const directory = await temporaryDirectory();
    const asNobody = NOBODY === undefined ? {} : { uid: NOBODY };
    const probe = await child(process.execPath, [BIN, "--version"], asNobody).catch(() => undefined);
    if (probe?.code !== 0) return context.skip();
    await chmod(directory, 0o000);
    const { code, stderr } = await child(process.execPath, [BIN, "scan", "--data", directory], asNobody);
    await chmod(directory, 0o700);
    expect(code).toBe(1);
    expect(stderr).toContain(`error KAYA_IO: cannot read the directory ${directory}: EACCES`);
  });
});
