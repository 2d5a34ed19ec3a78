import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { hierarchiesOf, MemoryGroup } from "../src/memory-group.js";

const MIB = 1 << 20;
const dir = mkdtempSync(join(tmpdir(), "kaya-bench-group-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("where a memory cgroup may be made", () => {
  test("version 1: where the memory controller is mounted, and in this process's own group of it", () => {
    const mountinfo = [
      "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
      "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu",
      "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:5 - cgroup cgroup rw,memory",
    ].join("\n");
    expect(hierarchiesOf(mountinfo, "4:memory:/a/b\n1:cpu:/c\n")).toEqual([
      { version: 1, dir: "/sys/fs/cgroup/memory" },
      { version: 1, dir: "/sys/fs/cgroup/memory/a/b" },
    ]);
  });

  test("version 2: at the top, and in this process's own group", () => {
    const mountinfo = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
    expect(hierarchiesOf(mountinfo, "0::/user.slice/x\n")).toEqual([
      { version: 2, dir: "/sys/fs/cgroup" },
      { version: 2, dir: "/sys/fs/cgroup/user.slice/x" },
    ]);
    expect(hierarchiesOf(mountinfo, "0::/\n")).toEqual([{ version: 2, dir: "/sys/fs/cgroup" }]);
  });

  test("nowhere without a memory controller", () => {
    const mountinfo = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu";
    expect(hierarchiesOf(mountinfo, "1:cpu:/")).toEqual([]);
    expect(() => MemoryGroup.create(192 * MIB, [])).toThrow(
      "a memory cgroup of 192 MiB cannot be made: no memory controller is mounted",
    );
  });

  test("a place that is none tells why, and is left as it was", () => {
    const here = join(dir, "none");
    expect(() => MemoryGroup.create(MIB, [{ version: 2, dir: here }])).toThrow(/v2: ENOENT/);
    expect(() => MemoryGroup.create(MIB, [{ version: 1, dir }])).toThrow(/v1: ENOENT.*memory.limit_in_bytes/);
    expect(existsSync(join(dir, `kaya-bench-${process.pid}`))).toBe(false);
  });
});

function whyNot(): string | undefined {
  try {
    void MemoryGroup.create(64 * MIB).remove();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const reason = whyNot();
describe.skipIf(reason !== undefined)(`a memory cgroup${reason === undefined ? "" : ` (${reason})`}`, () => {
  test("kills a process that wants more than it has, and is gone afterwards", async () => {
    const hungry = join(dir, "hungry.mjs");
    writeFileSync(
      hungry,
      'process.on("message", () => { const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1)); });\n' +
        'process.send("here");\n',
    );
    const group = MemoryGroup.create(96 * MIB);
    try {
      const child = fork(hungry, { execArgv: [] });
      await once(child, "message");
      writeFileSync(group.processesFile, `${child.pid}`);
      child.send("eat");
      const [, signal] = await once(child, "exit");
      expect(signal).toBe("SIGKILL");
      expect(group.killed).toBe(1);
    } finally {
      await group.remove();
    }
    expect(existsSync(dirname(group.processesFile))).toBe(false);
  });
});
