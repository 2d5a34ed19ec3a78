import { readFile, realpath, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/** Where the data is, or will be. */
export interface Place {
  /** As it was given. */
  readonly dataDir: string;
  /** Whether that is there. */
  readonly isThere: boolean;
  /** The data directory with all links followed, or the nearest directory above it that is there. */
  readonly real: string;
  /** Where a temporary directory on the same file system may be made: beside the data where that can be. */
  readonly beside: string;
  /** Undefined where the system does not tell. */
  readonly mount: Mount | undefined;
}

/** A line of /proc/self/mountinfo. */
export interface Mount {
  readonly point: string;
  readonly type: string;
  /** Of the mount and of the file system. */
  readonly options: readonly string[];
  /** `253:0` */
  readonly device: string;
  readonly source: string;
}

export async function placeOf(dataDir: string): Promise<Place> {
  const absolute = resolve(dataDir);
  const found = await realpath(absolute).catch(() => undefined);
  const real = found ?? (await nearestAbove(dirname(absolute)));
  const mounts = parseMounts(await readFile("/proc/self/mountinfo", "utf8").catch(() => ""));
  return {
    dataDir,
    isThere: found !== undefined,
    real,
    beside: found === undefined ? real : await besideOf(real),
    mount: mountOf(mounts, real),
  };
}

async function nearestAbove(path: string): Promise<string> {
  const found = await realpath(path).catch(() => undefined);
  return found ?? (dirname(path) === path ? path : nearestAbove(dirname(path)));
}

/** A data directory that is a mount point has nothing of its file system beside it. */
async function besideOf(dir: string): Promise<string> {
  const above = dirname(dir);
  const [own, other] = await Promise.all([stat(dir), stat(above)]);
  return own.dev === other.dev ? above : dir;
}

/** The mount that a path is on. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const isAbove = path === mount.point || path.startsWith(join(mount.point, "/"));
    // A later mount hides an earlier one on the same point.
    if (isAbove && mount.point.length >= (found?.point.length ?? 0)) found = mount;
  }
  return found;
}

/** The text of /proc/self/mountinfo. */
export function parseMounts(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", behind = ""] = line.split(" - ");
    const [, , device = "", , point, options = ""] = before.split(" ");
    const [type, source = "", superOptions = ""] = behind.split(" ");
    if (point === undefined || type === undefined || type === "") return [];
    return [
      {
        point: unescaped(point),
        type,
        options: [...new Set([...options.split(","), ...superOptions.split(",")])].filter(
          (each) => each !== "",
        ),
        device,
        source: unescaped(source),
      },
    ];
  });
}

/** Spaces and the like stand there as `\040`. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
