/** The counts of a writing process's trace. */
export interface SyncCount {
  /** Puts that were acknowledged. */
  readonly acknowledged: number;
  /** Of these, how many had a sync that began after the put was asked for and was over before it was acknowledged. */
  readonly covered: number;
  /** All that forced data out, by name of the call. */
  readonly calls: Readonly<Record<string, number>>;
}

/** Paths that the writing process looks for, so that the trace shows where a put begins and is acknowledged. */
export const MARK = { put: "/kaya-bench/put", acknowledged: "/kaya-bench/acknowledged" } as const;

/** What strace has to follow. `?`: not every architecture has it. */
export const TRACED_CALLS = [
  "?open",
  "openat",
  "close",
  "fsync",
  "fdatasync",
  "msync",
  "write",
  "writev",
  "pwrite64",
  "pwritev",
  "pwritev2",
  "?access",
  "faccessat",
  "?faccessat2",
].join(",");

// `123  fdatasync(17</path>) = 0`, `123  fdatasync(17</path> <unfinished ...>`, `123  <... fdatasync resumed>) = 0`
const LINE = /^(\d+)\s+(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$/;
const RESULT = /\)\s+= (-?\d+)/;

interface Begun {
  readonly name: string;
  readonly args: string;
  /** The put that was under way when it began. */
  readonly during: number | undefined;
}

/**
 * Reads the log of `strace -f -y` of a process that puts one entry after the other into `dir`, between marks. Counted are fsync,
 * fdatasync, msync(MS_SYNC), and writes to what was opened with O_DSYNC or O_SYNC, all of files below `dir`.
 */
export function countSyncs(log: string, dir: string): SyncCount {
  const begun = new Map<string, Begun>();
  const syncedFds = new Set<string>();
  const covered = new Set<number>();
  const calls: Record<string, number> = {};
  let acknowledged = 0;
  let underWay: number | undefined;

  const finish = ({ name, args, during }: Begun, result: number) => {
    const fd = fdOf(args);
    if (name === "openat" || name === "open") noteOpened(syncedFds, args, result);
    else if (name === "close") syncedFds.delete(fd);
    else if (result >= 0 && isSync(name, args, dir, syncedFds.has(fd))) {
      calls[name] = (calls[name] ?? 0) + 1;
      if (during !== undefined && during === underWay) covered.add(during);
    }
  };

  for (const line of log.split("\n")) {
    const [, pid = "", resumed, name = "", rest = ""] = LINE.exec(line) ?? [];
    const mark = markOf(rest);
    if (mark !== undefined) {
      // A mark's call may come in two lines: the first has its path.
      if (mark.isPut) underWay = mark.index;
      else if (underWay === mark.index) {
        acknowledged++;
        underWay = undefined;
      }
      continue;
    }
    const call = resumed === undefined ? { name, args: rest, during: underWay } : begun.get(pid);
    if (call === undefined) continue;
    if (rest.endsWith("<unfinished ...>")) begun.set(pid, call);
    else finish(resumed === undefined ? call : { ...call, args: call.args + rest }, resultOf(rest));
  }
  return { acknowledged, covered: covered.size, calls };
}

function markOf(text: string): { readonly isPut: boolean; readonly index: number } | undefined {
  const [, path, index] = /"(\/kaya-bench\/\w+)\/(\d+)"/.exec(text) ?? [];
  return path === undefined ? undefined : { isPut: path === MARK.put, index: Number(index) };
}

function fdOf(args: string): string {
  return /^(\d+)/.exec(args)?.[1] ?? "";
}

function noteOpened(syncedFds: Set<string>, args: string, fd: number): void {
  if (fd < 0) return;
  if (/\bO_D?SYNC\b/.test(args)) syncedFds.add(`${fd}`);
  else syncedFds.delete(`${fd}`);
}

function isSync(name: string, args: string, dir: string, isSyncedFd: boolean): boolean {
  if (name === "msync") return args.includes("MS_SYNC"); // it names no file
  if (!args.includes(`<${dir}/`)) return false;
  return name === "fsync" || name === "fdatasync" || isSyncedFd || /\bRWF_D?SYNC\b/.test(args);
}

function resultOf(rest: string): number {
  return Number(RESULT.exec(rest)?.[1] ?? -1);
}
