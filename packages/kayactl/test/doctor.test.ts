import {
  appendFile,
  chmod,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { crc32c } from "@kaya/core";
import { Engine } from "@kaya/engine";
import { describe, expect, test } from "vitest";
import { judgeClock } from "../src/doctor/clock.js";
import { judgeFileSystem } from "../src/doctor/file-system.js";
import type { Finding } from "../src/doctor/finding.js";
import { judgeMemory, judgeOpenFiles, judgeVersions } from "../src/doctor/machine.js";
import { mountOf, parseMounts } from "../src/doctor/place.js";
import { judgeSpace } from "../src/doctor/space.js";
import { judgeConsumers, judgeQuarantine } from "../src/doctor/store.js";
import { judgeLock, judgeSync } from "../src/doctor/sync-time.js";
import {
  absentDirectory,
  child,
  filledDirectory,
  flipInFile,
  kayactl,
  SEGMENT,
  snapshot,
  temporaryDirectory,
  VECTOR,
} from "./helpers.js";
import { mountTmpfs } from "./mounted-tmpfs.js";

interface Report {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

async function doctor(data: string): Promise<Report & { code: number | null }> {
  const { code, stdout } = await kayactl(["doctor", "--json", "--data", data]);
  return { code, ...(JSON.parse(stdout) as Report) };
}

const of = ({ findings }: Report, check: string) => findings.filter((finding) => finding.check === check);
const levels = (findings: readonly Finding[]) => findings.map(({ level }) => level);

describe("doctor", () => {
  test("looks at a healthy store, changes nothing in it, and leaves nothing beside it", async () => {
    const data = await filledDirectory(10);
    const before = await snapshot(data);
    const report = await doctor(data);
    expect(await snapshot(data)).toEqual(before);
    expect(await readdir(dirname(data))).toEqual([basename(data)]);
    expect(report.findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        "directory",
        "file system",
        "fsync",
        "lock",
        "space",
        "owner and mode",
        "clock",
        "versions",
        "memory",
        "writer",
        "log",
      ]),
    );
    // The machine that this runs on may have problems of its own; the store has none.
    for (const check of ["directory", "lock", "owner and mode", "writer", "log"])
      expect(levels(of(report, check)), check).toEqual(["ok"]);
    expect(of(report, "log")[0]?.values).toMatchObject({ records: 10 });
    expect(report.code).toBe(report.ok ? 0 : 1);
  });

  test("says in text what was measured and what to do, and how many findings there are", async () => {
    const data = await filledDirectory(1);
    await writeFile(join(data, "photo\u001b[2J.jpg"), "x");
    const { stdout, stderr } = await kayactl(["doctor", "--data", data]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^note {5}foreign files {3}photo\\u001b\[2J\.jpg is not Kaya's \(1 B\)$/m);
    expect(stdout).toMatch(/^ {25}Kaya leaves them alone/m);
    expect(stdout).toMatch(/\d+ notes?\.\n$/);
  });

  test("keeps its columns on a terminal", async () => {
    const data = await filledDirectory(1);
    await writeFile(join(data, "photo.jpg"), "x");
    const { stdout } = await kayactl(["doctor", "--no-color", "--data", data], { columns: 80 });
    const lines = stdout.trimEnd().split("\n").slice(0, -1);
    for (const line of lines) {
      expect(line).toMatch(/^(ok|note|warning|problem) |^ {25}\S/);
      // A path is one word.
      if (!line.includes(data)) expect(line.length, line).toBeLessThanOrEqual(80);
    }
    expect(lines.some((line) => line.endsWith("Kaya leaves them alone, and no backup has them. Keep"))).toBe(
      true,
    );
  });

  test("looks at the place of a directory that is not there, and at an empty one, and makes none", async () => {
    const absent = await absentDirectory();
    const report = await doctor(absent);
    expect(of(report, "directory")[0]?.found).toBe(
      `${absent} is not there yet: ${dirname(absent)} is looked at`,
    );
    expect(of(report, "log")).toEqual([]);
    expect(await readdir(dirname(absent))).toEqual([]);
    await mkdir(absent);
    expect(of(await doctor(absent), "directory")[0]?.found).toBe(`${absent} is empty`);
    expect(await readdir(absent)).toEqual([]);
  });

  test("a directory of somebody else is a problem; a file is a mistake", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "passwd"), "x");
    const report = await doctor(directory);
    expect({ code: report.code, levels: levels(of(report, "directory")) }).toEqual({
      code: 1,
      levels: ["problem"],
    });
    expect(await readdir(directory)).toEqual(["passwd"]);
    expect((await kayactl(["doctor", "--data", join(directory, "passwd")])).code).toBe(4);
  });

  test("a torn end is harmless; damage is a problem; so is a manifest that cannot be read", async () => {
    const torn = await filledDirectory(3);
    const segment = join(torn, "wal", SEGMENT);
    await appendFile(segment, (await readFile(segment)).subarray(0, 50));
    expect(of(await doctor(torn), "log")).toMatchObject([
      { level: "ok" },
      {
        level: "note",
        found: expect.stringMatching(/: wal\/0000000000000001\.wal, offset \d+: the log ends/),
      },
    ]);
    const damaged = await filledDirectory(3);
    await appendFile(join(damaged, "wal", SEGMENT), (await readFile(segment)).subarray(0, 50));
    await flipInFile(join(damaged, "wal", SEGMENT), 50);
    const report = await doctor(damaged);
    expect(report.code).toBe(1);
    expect(levels([...of(report, "log"), ...of(report, "store")])).toContain("problem");
    const refused = await filledDirectory(3);
    expect((await kayactl(["flush", "--data", refused])).code).toBe(0);
    const [manifest = ""] = await readdir(join(refused, "manifest"));
    await writeFile(join(refused, "manifest", manifest), "not a manifest");
    expect(of(await doctor(refused), "store")).toMatchObject([
      { level: "problem", values: { code: expect.any(String) } },
    ]);
  });

  test("a lock file that cannot be read is a problem, and the other checks go on", async () => {
    const data = await filledDirectory(3);
    await rm(join(data, "LOCK"));
    await mkdir(join(data, "LOCK"));
    const report = await doctor(data);
    expect(report).toMatchObject({ code: 1, ok: false });
    expect(of(report, "store")).toMatchObject([
      { level: "problem", found: expect.stringContaining(join(data, "LOCK")) },
    ]);
    expect(levels(of(report, "fsync"))).toHaveLength(1);
  });

  test("files of a newer version are a problem, and no damage", async () => {
    const data = await filledDirectory(3);
    const segment = join(data, "wal", SEGMENT);
    // A header of 40 bytes whose checksum holds: of a NOOP with LSN 4, in version 2.
    const record = Buffer.from(VECTOR.subarray(-40));
    record.writeUInt16LE(2, 4);
    record.writeUInt32LE(4, 12);
    record.writeUInt32LE(4, 20);
    record.writeUInt32LE(0, 32);
    record.writeUInt32LE(crc32c(record), 32);
    await appendFile(segment, record);
    const report = await doctor(data);
    expect(report.code).toBe(1);
    expect(of(report, "store")).toMatchObject([
      {
        level: "problem",
        values: { code: "KAYA_UNSUPPORTED_VERSION" },
        advice: expect.stringContaining("Nothing is damaged"),
      },
    ]);
  });

  test("tells of a writer, and of one that was killed", async () => {
    const data = await filledDirectory(1);
    const engine = await Engine.open({ dataDir: data });
    const report = await doctor(data);
    await engine.put("a", "1");
    await engine.close();
    expect(of(report, "writer")).toMatchObject([{ level: "ok", values: { pid: process.pid } }]);
    const module = createRequire(import.meta.url).resolve("@kaya/engine");
    const program = `const { Engine } = await import(${JSON.stringify(pathToFileURL(module).href)});
      await Engine.open({ dataDir: ${JSON.stringify(data)} });
      process.kill(process.pid, "SIGKILL");`;
    await child(process.execPath, ["--input-type=module", "-e", program]);
    expect(of(await doctor(data), "writer")).toMatchObject([
      { level: "note", values: { pid: expect.any(Number) } },
    ]);
  });

  test("tells of foreign files, links and modes", async () => {
    const data = await filledDirectory(1);
    const wal = join(data, "wal");
    await writeFile(join(wal, "notes.txt"), "x");
    await link(join(wal, SEGMENT), join(dirname(data), "hard"));
    await chmod(join(wal, SEGMENT), 0o666);
    const report = await doctor(data);
    expect(of(report, "foreign files")).toMatchObject([
      { level: "note", found: "wal/notes.txt is not Kaya's (1 B)" },
    ]);
    expect(of(report, "links")).toMatchObject([
      { level: "note", found: `wal/${SEGMENT} has another name somewhere (a hard link)` },
    ]);
    expect(of(report, "owner and mode")).toMatchObject([
      { level: "warning", found: `anybody may write wal/${SEGMENT}` },
    ]);
    const linked = await filledDirectory(1);
    await rename(join(linked, "wal", SEGMENT), join(dirname(linked), "elsewhere"));
    await symlink(join(dirname(linked), "elsewhere"), join(linked, "wal", SEGMENT));
    const withLink = await doctor(linked);
    expect({ code: withLink.code, levels: levels(of(withLink, "links")) }).toEqual({
      code: 1,
      levels: ["problem"],
    });
  });

  test("measures inside where the data directory is a mount point, and removes what it made", async (context) => {
    const disk = mountTmpfs("1m");
    if (disk === undefined) return context.skip("mounting a tmpfs is not permitted");
    const report = await doctor(disk);
    expect(await readdir(disk)).toEqual([]);
    expect(of(report, "file system")[0]).toMatchObject({
      level: "warning",
      values: { type: "tmpfs", point: disk },
    });
    expect(of(report, "space")[0]?.level).toBe("problem");
    expect(report.code).toBe(1);
  });

  test("Ctrl-C ends it, and leaves nothing behind", async () => {
    const data = await filledDirectory(1);
    expect((await kayactl(["doctor", "--data", data], { signal: AbortSignal.abort() })).code).toBe(130);
    expect(await readdir(dirname(data))).toEqual([basename(data)]);
  });
});

describe("what is measured is judged", () => {
  const mount = (type: string, ...options: string[]) => ({
    point: "/data",
    type,
    options,
    device: "8:1",
    source: "x",
  });

  test.each([
    ["ext4", ["rw"], ["ok"]],
    ["xfs", ["rw"], ["ok"]],
    ["tmpfs", ["rw"], ["warning"]],
    ["overlay", ["rw"], ["warning"]],
    ["nfs4", ["rw"], ["warning"]],
    ["cifs", ["rw"], ["warning"]],
    ["fuse.sshfs", ["rw"], ["warning"]],
    ["9p", ["rw"], ["warning"]],
    ["vfat", ["rw"], ["warning"]],
    ["btrfs", ["rw"], ["note"]],
    ["zfs", ["rw"], ["note"]],
    ["something", ["rw"], ["note"]],
    ["ext4", ["rw", "nobarrier"], ["ok", "problem"]],
    ["ext4", ["ro"], ["ok", "problem"]],
    ["ext4", ["rw", "sync"], ["ok", "note"]],
  ])("the file system %s %j is %j", (type, options, expected) => {
    expect(levels(judgeFileSystem(mount(type, ...options), "/data"))).toEqual(expected);
  });

  test.each([
    [0.3, 0.5, "ok"],
    [0.004, 0.1, "problem"],
    [0.3, 300, "note"],
    [25, 60, "warning"],
    [400, 500, "warning"],
    [1, 1200, "warning"],
  ])("fsync of %d ms, at most %d ms, is %s", (median, max, expected) => {
    const times = [...Array.from({ length: 9 }, () => median), max];
    const device = { isRotational: false, cache: undefined };
    expect(judgeSync(times, device, false).level).toBe(expected);
    expect(judgeSync(times, device, true).level).toBe("ok");
  });

  test("a rotating disk that syncs faster than it turns is noted", () => {
    expect(judgeSync([0.3, 0.3, 0.3], { isRotational: true, cache: "write back" }, false)).toMatchObject({
      level: "note",
      values: { medianMs: 0.3, cache: "write back" },
    });
  });

  test.each([
    [{ freeBytes: 100 * 2 ** 30, freeFiles: undefined }, 10 << 20, ["ok"]],
    [{ freeBytes: 200 << 20, freeFiles: 1e6 }, 1 << 20, ["warning"]],
    [{ freeBytes: 1 << 30, freeFiles: 1e6 }, 10 * 2 ** 30, ["warning"]],
    [{ freeBytes: 1 << 20, freeFiles: 1e6 }, 1 << 20, ["problem"]],
    [{ freeBytes: 2 ** 40, freeFiles: 10 }, 1 << 20, ["ok", "warning"]],
    [{ freeBytes: 2 ** 40, freeFiles: 0 }, 1 << 20, ["ok", "problem"]],
  ])("%j with %d bytes used is %j", (space, used, expected) => {
    expect(levels(judgeSpace(space, used))).toEqual(expected);
  });

  test("a clock that was never set, that went back, and that lies before the files", () => {
    const now = Date.UTC(2030, 0, 1);
    expect(levels(judgeClock({ now, steadyNow: now, newestFile: now - 5 }))).toEqual(["ok"]);
    expect(levels(judgeClock({ now: 1000, steadyNow: 1000, newestFile: undefined }))).toEqual(["problem"]);
    expect(levels(judgeClock({ now, steadyNow: now + 5000, newestFile: now }))).toEqual(["warning"]);
    expect(levels(judgeClock({ now, steadyNow: now, newestFile: now + 3_600_000 }))).toEqual(["warning"]);
    expect(levels(judgeClock({ now, steadyNow: now, newestFile: now + 30_000 }))).toEqual(["ok"]);
  });

  test("versions, open files and memory", () => {
    expect(judgeVersions("v20.18.0", "linux", "x64").level).toBe("problem");
    expect(judgeVersions("v20.19.0", "linux", "x64").level).toBe("ok");
    expect(judgeVersions("v26.1.0", "darwin", "arm64").level).toBe("note");
    expect(levels(judgeOpenFiles(1024, 100))).toEqual(["ok"]);
    expect(levels(judgeOpenFiles(1024, 600))).toEqual(["warning"]);
    expect(levels(judgeOpenFiles(1024, 1000))).toEqual(["problem"]);
    expect(judgeOpenFiles(undefined, 1000)).toEqual([]);
    expect(judgeMemory({ bytes: 256 << 20, isContainer: true }).level).toBe("problem");
    expect(judgeMemory({ bytes: 400 << 20, isContainer: true }).level).toBe("warning");
    expect(judgeMemory({ bytes: 8 * 2 ** 30, isContainer: false }).level).toBe("ok");
  });

  test("a lock that is refused, quarantine and consumers", () => {
    expect(judgeLock("no native lock").level).toBe("problem");
    const torn = (files: number, bytes: number) => ({ quarantine: { files, bytes, torn: { files, bytes } } });
    expect(judgeQuarantine(torn(0, 0))).toEqual([]);
    expect(levels(judgeQuarantine(torn(2, 1000)))).toEqual(["note"]);
    expect(levels(judgeQuarantine(torn(2, 2 ** 30)))).toEqual(["warning"]);
    expect(
      levels(judgeQuarantine({ quarantine: { files: 2, bytes: 5, torn: { files: 1, bytes: 1 } } })),
    ).toEqual(["warning"]);
    const consumer = (keptLogBytes: number, isTruncated = false) => ({
      name: "search",
      token: "t",
      lsn: 1,
      keptLogBytes,
      isTruncated,
    });
    expect(judgeConsumers([])).toEqual([]);
    expect(levels(judgeConsumers([consumer(0)]))).toEqual(["ok"]);
    expect(levels(judgeConsumers([consumer(2 ** 30)]))).toEqual(["warning"]);
    expect(levels(judgeConsumers([consumer(0, true)]))).toEqual(["warning"]);
  });

  test("the mount of a path is the last of the longest on its way", () => {
    const mounts = parseMounts(
      [
        "22 1 253:0 / / rw,relatime - ext4 /dev/vda rw",
        "23 22 0:9 / /data rw - tmpfs none rw,size=1k",
        "24 22 8:1 /sub /data rw,nosuid - xfs /dev/sda1 rw",
        "25 22 0:7 / /with\\040space rw - btrfs /dev/sdb rw",
        "",
      ].join("\n"),
    );
    expect(mountOf(mounts, "/data/x")).toMatchObject({
      type: "xfs",
      device: "8:1",
      options: ["rw", "nosuid"],
    });
    expect(mountOf(mounts, "/database")).toMatchObject({ type: "ext4", point: "/" });
    expect(mountOf(mounts, "/with space")).toMatchObject({ type: "btrfs" });
    expect(mountOf([], "/x")).toBe(undefined);
  });
});
