import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface MountedTmpfs {
  readonly path: string;
  remount(options: string): void;
  unmount(): void;
}

/** A small file system of its own; undefined where this process may not mount one. */
export function mountTmpfs(size: string): MountedTmpfs | undefined {
  if (process.platform !== "linux") return undefined;
  const path = mkdtempSync(join(tmpdir(), "kaya-engine-tmpfs-"));
  if (!mount("-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path)) {
    rmdirSync(path);
    return undefined;
  }
  return {
    path,
    remount(options) {
      if (!mount("-o", `remount,${options}`, path)) throw new Error(`cannot remount ${path} with ${options}`);
    },
    unmount() {
      // Lazily: a test that failed may have left a file open in it.
      spawnSync("umount", ["--lazy", path]);
      rmdirSync(path);
    },
  };
}

function mount(...args: readonly string[]): boolean {
  return spawnSync("mount", args).status === 0;
}
