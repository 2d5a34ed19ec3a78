import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A small file system of its own, gone after the test; undefined where this process may not mount one. */
export function mountTmpfs(size: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  const path = mkdtempSync(join(tmpdir(), "kayactl-tmpfs-"));
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]);
  if (status === 0) {
    onTestFinished(() => {
      spawnSync("umount", ["--lazy", path]); // a test that failed may have left a file open in it
      rmdirSync(path);
    });
    return path;
  }
  rmdirSync(path);
  return undefined;
}
