import { execFileSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** The machine of the figures. */
export interface Machine {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly system: string;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly fileSystem: string;
}

export function describeMachine(dataDir: string): Machine {
  const [cpu] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commitHere(),
    node: process.version,
    system: `${platform()} ${release()} ${arch()}`,
    cpu: `${cpus().length} x ${cpu?.model.trim() ?? "unknown"}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    fileSystem: fileSystemOf(dataDir),
  };
}

/** The commit of this checkout; with a mark where something was changed since. */
function commitHere(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync("git", args, { cwd: HERE, encoding: "utf8", stdio: "pipe" }).trim();
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") === "" ? "" : " with changes"}`;
  } catch {
    return "unknown"; // no git, or no checkout
  }
}

function fileSystemOf(dir: string): string {
  try {
    return findFileSystem(readFileSync("/proc/self/mounts", "utf8"), realpathSync(dir));
  } catch {
    return "unknown"; // not Linux
  }
}

/** The type of file system that a path is on, from the text of `/proc/self/mounts`. */
export function findFileSystem(mounts: string, path: string): string {
  let found = { point: "", type: "unknown" };
  for (const line of mounts.split("\n")) {
    const [, point = "", type = ""] = line.split(" ");
    const isAbove = point === "/" || path === point || path.startsWith(`${point}/`);
    // A later mount hides an earlier one on the same point.
    if (point !== "" && isAbove && point.length >= found.point.length) found = { point, type };
  }
  return found.type;
}
