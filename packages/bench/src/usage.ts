import { readFileSync } from "node:fs";
import { cpus } from "node:os";

/** The machine's usage during a measurement. */
export interface Usage {
  /** The share of its time in which the event loop was at work. */
  readonly loop: number;
  /** Processor time of all threads over the time: 1 is one core. */
  readonly cores: number;
  readonly coresThere: number;
  /** MiB read from and written to the disk a second; absent where the system does not say. */
  readonly disk?: { readonly read: number; readonly written: number };
}

const MIB = 1 << 20;
const BUSY = 0.9;
/** Cores used in each second of event loop work: below it the loop was not running but waiting for a core. */
const RUNNING = 0.75;

/** Runs the work, and records the machine's usage meanwhile. */
export async function withUsage<T>(work: () => Promise<T>): Promise<{ value: T; usage: Usage }> {
  const [loop, cpu, disk, started] = [
    performance.eventLoopUtilization(),
    process.cpuUsage(),
    diskBytes(),
    performance.now(),
  ];
  const value = await work();
  const ms = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  const now = diskBytes();
  return {
    value,
    usage: {
      loop: performance.eventLoopUtilization(loop).utilization,
      cores: (user + system) / 1000 / ms,
      coresThere: cpus().length,
      ...(disk &&
        now && {
          disk: {
            read: perSecondInMib(now.read - disk.read, ms),
            written: perSecondInMib(now.written - disk.written, ms),
          },
        }),
    },
  };
}

/** The likely bottleneck, in words that fit a cell of a table. */
export type Bottleneck = "all cores" | "event loop, held up" | "event loop" | "waiting";

const EXPLAINED: Readonly<Record<Bottleneck, string>> = {
  "all cores": "all cores are busy (--profile shows where)",
  "event loop, held up":
    "the event loop is held up, by synchronous reads or because other processes have the cores",
  "event loop": "the event loop is busy (--profile shows where)",
  waiting: "neither the event loop nor the cores are busy: it waits",
};

/** The likely bottleneck of a figure, with its evidence. */
export function limitOf(usage: Usage): string {
  const { loop, cores, coresThere, disk } = usage;
  const io =
    disk === undefined
      ? ""
      : `, disk ${disk.read.toFixed(0)} MiB/s read and ${disk.written.toFixed(0)} written`;
  const figures = `event loop ${Math.round(100 * loop)} % busy, ${cores.toFixed(1)} of ${coresThere} cores${io}`;
  return `${EXPLAINED[bottleneckOf(usage)]}: ${figures}`;
}

/** The likely bottleneck of a figure. */
export function bottleneckOf({ loop, cores, coresThere }: Usage): Bottleneck {
  if (cores >= BUSY * coresThere) return "all cores";
  if (loop >= BUSY) return cores < RUNNING * loop ? "event loop, held up" : "event loop";
  return "waiting";
}

function perSecondInMib(bytes: number, ms: number): number {
  return bytes / MIB / (ms / 1000);
}

function diskBytes(): { read: number; written: number } | undefined {
  try {
    const text = readFileSync("/proc/self/io", "utf8");
    const of = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1] ?? 0);
    return { read: of("read_bytes"), written: of("write_bytes") };
  } catch {
    return undefined; // not Linux
  }
}
