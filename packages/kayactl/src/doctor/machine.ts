import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { resolveEngineConfig } from "@kaya/core";
import { formatBytes, formatCount } from "../units.js";
import { version } from "../version.js";
import { type Finding, findingsOf } from "./finding.js";

const MiB = 1024 * 1024;
/** Of a process beside its memtables and cache (docs/operations.md). */
const PROCESS_BYTES = 200 * MiB;
/** That a process opens besides tables: of the log, the lock, directories, sockets of the program. */
const OTHER_FILES = 128;
const [OLDEST_MAJOR, OLDEST_MINOR] = [20, 19];

export function judgeVersions(node: string, platform: NodeJS.Platform, arch: string): Finding {
  const { ok, note, problem } = findingsOf("versions");
  const found = `kayactl ${version()}, Node ${node}, ${platform} ${arch}`;
  const [major = 0, minor = 0] = node.replace(/^v/, "").split(".").map(Number);
  if (major < OLDEST_MAJOR || (major === OLDEST_MAJOR && minor < OLDEST_MINOR))
    return problem(found, `Kaya needs Node ${OLDEST_MAJOR}.${OLDEST_MINOR} or later.`);
  if (platform !== "linux")
    return note(found, 'Kaya was not run on this system: see "Where it runs" in docs/operations.md.');
  return ok(found);
}

/** How many files a process started like this one may have open; undefined where the system does not tell. */
export async function openFileLimit(): Promise<number | undefined> {
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

export function judgeOpenFiles(limit: number | undefined, tables: number): Finding[] {
  const { ok, warning, problem } = findingsOf("open files");
  if (limit === undefined) return [];
  const found = `at most ${formatCount(limit)} a process, and ${formatCount(tables)} tables are held open`;
  const values = { limit: Number.isFinite(limit) ? limit : null, tables };
  const advice =
    "Raise `ulimit -n`, or tables.tableBytes. A service has the limit of its unit (LimitNOFILE).";
  if (limit < tables + OTHER_FILES) return [problem(found, advice, values)];
  if (limit < 2 * tables + OTHER_FILES) return [warning(found, advice, values)];
  return [ok(found, undefined, values)];
}

/** Most bytes that this process may have: of its container, else of the machine. */
export function memoryLimit(): { readonly bytes: number; readonly isContainer: boolean } {
  // Not every runtime that passes for Node has it.
  const constrained = (process as Partial<NodeJS.Process>).constrainedMemory?.() ?? 0;
  const total = totalmem();
  return constrained > 0 && constrained < total
    ? { bytes: constrained, isContainer: true }
    : { bytes: total, isContainer: false };
}

export function judgeMemory({ bytes, isContainer }: ReturnType<typeof memoryLimit>): Finding {
  const { ok, warning, problem } = findingsOf("memory");
  const { memtableBytes, cacheBytes } = resolveEngineConfig().memory;
  const needed = memtableBytes + cacheBytes + PROCESS_BYTES;
  const place = isContainer ? "this container (cgroup)" : "this machine";
  const found = `${formatBytes(bytes)} in ${place}; a process takes ${formatBytes(needed)} with its defaults`;
  const values = { limitBytes: bytes, neededBytes: needed, isContainer };
  const advice =
    "Raise the limit, or lower memory.memtableBytes and memory.cacheBytes. The process needs about 200 MiB besides them.";
  if (bytes < needed) return problem(found, advice, values);
  if (bytes < 1.5 * needed) return warning(found, advice, values);
  return ok(found, undefined, values);
}
