import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A tmpfs of its own, or why there is none.
 * @param {string} size
 * @returns {{ path: string, unmount: () => void } | { reason: string }}
 */
export function mountSmallFileSystem(size) {
  if (process.platform !== "linux") return { reason: `no tmpfs on ${process.platform}` };
  const path = mkdtempSync(join(tmpdir(), "kaya-sim-tmpfs-"));
  const { status, stderr, error } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]);
  if (status !== 0) {
    rmdirSync(path);
    return { reason: `mounting is not permitted: ${error?.message ?? String(stderr).trim()}` };
  }
  const unmount = () => {
    spawnSync("umount", ["--lazy", path]); // lazily: after a failure a file may be open in it
    rmdirSync(path);
  };
  return { path, unmount };
}
