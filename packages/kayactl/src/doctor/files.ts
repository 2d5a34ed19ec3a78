import type { Stats } from "node:fs";
import { access, constants, lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { hasOwnName } from "../inspect/data-file.js";
import { formatBytes, plural } from "../units.js";
import { type Finding, findingsOf } from "./finding.js";

/** Directories that an engine makes. */
const DIRECTORIES = ["wal", "wal/quarantine", "manifest", "sst"];
const ANYBODY_WRITES = 0o002;
/** Names that are told; the rest is counted. */
const SHOWN = 5;

/** A file or directory of the data directory. */
export interface FoundFile {
  /** Relative to the data directory, with "/"; "" is the directory itself. */
  readonly path: string;
  readonly stats: Stats;
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
}

/**
 * What is in the directories of an engine, also what is none of Kaya's; other directories are not entered. What goes away meanwhile is left out.
 * @throws the system's error where the data directory itself cannot be read
 */
export async function filesIn(dataDir: string): Promise<readonly FoundFile[]> {
  const paths = [""];
  for (const directory of ["", ...DIRECTORIES]) {
    const names = await readdir(join(dataDir, directory)).catch((error: unknown) => {
      if (directory === "") throw error;
      return []; // not there, or none that this user may read: that is told of itself
    });
    for (const name of names) paths.push(directory === "" ? name : `${directory}/${name}`);
  }
  const found = await Promise.all(paths.map((path) => look(dataDir, path)));
  return found.filter((file) => file !== undefined);
}

async function look(dataDir: string, path: string): Promise<FoundFile | undefined> {
  const name = join(dataDir, path);
  const stats = await lstat(name).catch(() => undefined);
  if (stats === undefined) return undefined;
  const may = (mode: number) => access(name, mode).then(...YES_OR_NO);
  return { path, stats, mayRead: await may(constants.R_OK), mayWrite: await may(constants.W_OK) };
}

const YES_OR_NO = [() => true, () => false] as const;

export function judgeFiles(files: readonly FoundFile[]): Finding[] {
  return [...judgeAccess(files), ...judgeNames(files), ...judgeLinks(files)];
}

export function sumBytes(files: readonly FoundFile[]): number {
  return files.reduce((sum, { stats }) => sum + (stats.isFile() ? stats.size : 0), 0);
}

function judgeAccess(files: readonly FoundFile[]): Finding[] {
  const { ok, warning, problem } = findingsOf("owner and mode");
  const own = files.filter(isOwn);
  const found: Finding[] = [];
  const closed = own.filter(({ mayRead, mayWrite }) => !mayRead || !mayWrite);
  if (closed.length > 0)
    found.push(
      problem(
        `this user may not read and write ${named(closed)}`,
        "Run the program, and kayactl, as the user whose files these are, or give that user the files (chown -R).",
      ),
    );
  // Windows has no owners in this sense.
  const owners = [...new Set(own.map(({ stats: { uid, gid } }) => `${uid}:${gid}`))];
  if (owners.length > 1 && process.getuid !== undefined)
    found.push(
      warning(
        `the files belong to ${owners.join(" and ")}`,
        "New files get the owner of those beside them. Give all of them to one user (chown -R).",
      ),
    );
  const open = own.filter(({ stats }) => (stats.mode & ANYBODY_WRITES) !== 0 && !stats.isSymbolicLink());
  if (open.length > 0 && process.getuid !== undefined)
    found.push(warning(`anybody may write ${named(open)}`, "Take that right away: chmod -R o-w"));
  const owner = owners[0] === undefined || process.getuid === undefined ? "" : `, all of ${owners[0]}`;
  return found.length > 0
    ? found
    : [ok(`${plural(own.length, "file or directory", "files and directories")}${owner}`)];
}

function judgeNames(files: readonly FoundFile[]): Finding[] {
  const { note } = findingsOf("foreign files");
  const foreign = files.filter((file) => !isOwn(file) && file.path !== "lost+found");
  if (foreign.length === 0) return [];
  return [
    note(
      `${named(foreign)} ${foreign.length === 1 ? "is" : "are"} not Kaya's (${formatBytes(sumBytes(foreign))})`,
      "Kaya leaves them alone, and no backup has them. Keep them elsewhere.",
    ),
  ];
}

function judgeLinks(files: readonly FoundFile[]): Finding[] {
  const { note, problem } = findingsOf("links");
  const found: Finding[] = [];
  const symbolic = files.filter((file) => isOwn(file) && file.path !== "" && file.stats.isSymbolicLink());
  if (symbolic.length > 0)
    found.push(
      problem(
        `${named(symbolic)} ${symbolic.length === 1 ? "is a symbolic link" : "are symbolic links"}`,
        "Nothing below the data directory may be a link: an opening refuses. To use another disk, mount it there.",
      ),
    );
  const hard = files.filter((file) => isOwn(file) && file.stats.isFile() && file.stats.nlink > 1);
  if (hard.length > 0)
    found.push(
      note(
        `${named(hard)} ${hard.length === 1 ? "has" : "have"} another name somewhere (a hard link)`,
        "A copy made of hard links keeps its bytes. Write to one of the two directories only.",
      ),
    );
  return found;
}

/** Whether an engine would know the directory for one of its own, or for an empty one. */
export function isOfKaya(files: readonly FoundFile[]): boolean {
  const foreign = files.filter((file) => !isOwn(file));
  return foreign.length === 0 || files.some((file) => file.path !== "" && isOwn(file));
}

function isOwn({ path, stats }: FoundFile): boolean {
  if (path === "" || DIRECTORIES.includes(path)) return true;
  return !stats.isDirectory() && hasOwnName(path);
}

function named(files: readonly FoundFile[]): string {
  const names = files.slice(0, SHOWN).map(({ path }) => (path === "" ? "the data directory" : path));
  const more = files.length - names.length;
  return `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
