import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startEtcd, whyNoEtcd } from "@kaya/cluster/testing";
import { describe, expect, test } from "vitest";

const missing = whyNoEtcd();

describe.skipIf(missing !== undefined)(
  `etcd for tests${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  () => {
    test("neither etcd nor its data outlives a process that is killed", async () => {
      const child = spawn(process.execPath, [fileURLToPath(new URL("start-etcd.mjs", import.meta.url))], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
      const { pids, root } = JSON.parse(line) as { pids: number[]; root: string };
      expect(pids.every(isAlive)).toBe(true);
      expect(existsSync(root)).toBe(true);
      // A paused member must end too.
      process.kill(pids[0] as number, "SIGSTOP");
      child.kill("SIGKILL");
      while (pids.some(isAlive) || existsSync(root)) await sleep(50);
    });

    test("a stopped cluster leaves nothing behind", async () => {
      const etcd = await startEtcd({ members: 1 });
      const pids = etcd.members.map(({ pid }) => pid);
      await etcd.stop();
      expect(pids.some(isAlive)).toBe(false);
      expect(existsSync(etcd.directory)).toBe(false);
    });
  },
);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // there is no such process
  }
}
