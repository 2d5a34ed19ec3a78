import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Of a place for cgroups with the memory controller. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** The directory in which a group is made. */
  readonly dir: string;
}

const REMOVE_TRIES = 50;
const REMOVE_WAIT_MS = 100;

/** A memory cgroup of the bench: it limits the memory of its processes, the system's cache of their files included. */
export class MemoryGroup {
  readonly #dir: string;
  readonly #version: 1 | 2;

  private constructor({ version, dir }: Hierarchy) {
    this.#version = version;
    this.#dir = dir;
  }

  /**
   * Makes a group without swap, in the first hierarchy where that is permitted.
   * @throws Error that says why it is not permitted here
   */
  static create(limitBytes: number, hierarchies: readonly Hierarchy[] = findHierarchies()): MemoryGroup {
    const reasons: string[] = [];
    for (const { version, dir } of hierarchies) {
      const group = new MemoryGroup({ version, dir: join(dir, `kaya-bench-${process.pid}`) });
      try {
        group.#make(limitBytes);
        return group;
      } catch (error) {
        group.#removeIfMade();
        reasons.push(`v${version}: ${(error as Error).message}`);
      }
    }
    const why = reasons.join("; ") || "no memory controller is mounted";
    throw new Error(`a memory cgroup of ${limitBytes >> 20} MiB cannot be made: ${why}`);
  }

  /** A process whose id is written to this file is in the group, with all that it does from then on. */
  get processesFile(): string {
    return join(this.#dir, "cgroup.procs");
  }

  /** How many processes the kernel killed because the group was full. */
  get killed(): number {
    const file = this.#version === 2 ? "memory.events" : "memory.oom_control";
    const text = readFileSync(join(this.#dir, file), "utf8");
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  /** Removes the group once its processes are gone. */
  async remove(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        rmdirSync(this.#dir);
        return;
      } catch (error) {
        // A killed process stays in it until its memory is freed.
        if ((error as NodeJS.ErrnoException).code !== "EBUSY" || tries === REMOVE_TRIES) throw error;
        await sleep(REMOVE_WAIT_MS);
      }
    }
  }

  #make(limitBytes: number): void {
    mkdirSync(this.#dir);
    const [limit, swap] =
      this.#version === 2
        ? (["memory.max", "memory.swap.max"] as const)
        : (["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"] as const);
    writeExisting(join(this.#dir, limit), `${limitBytes}`);
    try {
      writeExisting(join(this.#dir, swap), this.#version === 2 ? "0" : `${limitBytes}`);
    } catch (error) {
      // Without this file the kernel does not count swap: then there must be none.
      if (hasSwap()) throw error;
    }
  }

  #removeIfMade(): void {
    try {
      rmdirSync(this.#dir);
    } catch {
      // It was not made.
    }
  }
}

/** Without this flag a write to a cgroup that lacks the controller asks the kernel to make a file, and the error misleads. */
function writeExisting(file: string, text: string): void {
  writeFileSync(file, text, { flag: "r+" });
}

function hasSwap(): boolean {
  return readFileSync("/proc/swaps", "utf8").trim().split("\n").length > 1;
}

function findHierarchies(): Hierarchy[] {
  try {
    return hierarchiesOf(
      readFileSync("/proc/self/mountinfo", "utf8"),
      readFileSync("/proc/self/cgroup", "utf8"),
    );
  } catch {
    return []; // not Linux
  }
}

/**
 * The places where the bench tries to make a memory cgroup, read from `/proc/self/mountinfo` and `/proc/self/cgroup`: the top of each
 * hierarchy with the memory controller, and this process's own group, which root may have delegated to its user.
 */
export function hierarchiesOf(mountinfo: string, cgroup: string): Hierarchy[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const mountPoint = left.split(" ")[4];
    const [type, , options = ""] = right.split(" ");
    if (mountPoint === undefined) return [];
    if (type === "cgroup2") return placesIn(2, mountPoint, ownGroup(cgroup, ""));
    if (type === "cgroup" && options.split(",").includes("memory"))
      return placesIn(1, mountPoint, ownGroup(cgroup, "memory"));
    return [];
  });
}

function placesIn(version: 1 | 2, mountPoint: string, own: string): Hierarchy[] {
  const dirs = new Set([mountPoint, join(mountPoint, own)].map((dir) => dir.replace(/(?<=.)\/$/, "")));
  return [...dirs].map((dir) => ({ version, dir }));
}

/** Lines are `number:controllers:path`; the one of version 2 has no controllers. */
function ownGroup(cgroup: string, controller: string): string {
  for (const line of cgroup.split("\n")) {
    const [, controllers = "", path = "/"] = line.split(":");
    if (line !== "" && controllers.split(",").includes(controller)) return path;
  }
  return "/";
}
