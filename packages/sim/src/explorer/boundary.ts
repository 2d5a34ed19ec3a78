import { type MutatingKind, type OperationHook, SimDisk } from "@kaya/io";
import { History } from "./history.js";

/** A moment between two mutating operations at which the machine may stop. */
export interface Boundary {
  /** From 0: how many mutating operations were done before it. */
  readonly index: number;
  /** The operation that was about to be done; undefined at the end. */
  readonly next: { readonly kind: MutatingKind; readonly path: string } | undefined;
  /** The disk as it stood then. Not to be changed: make forks of it. */
  readonly disk: SimDisk;
  /** The version of the history at this moment. */
  readonly version: number;
}

/** What an exploration needs of a recorded workload. */
export interface Recording<T> {
  readonly boundaries: readonly Boundary[];
  readonly history: History<T>;
  /** The mutating operations in order, as text; `index` of a boundary says how many of them came before it. */
  readonly operations: readonly string[];
  readonly faultPairs: readonly string[];
}

/** Keeps the moments of a workload at which it is to be crashed, and what it tells of itself. */
export interface Recorder {
  /** Two faults struck one after the other. */
  noteFaultPair(pair: string): void;
  /** From now on a moment is kept only where `isOf` says so when it comes; until it is told otherwise. The end always is. */
  onlyWhile(isOf: () => boolean): void;
}

/**
 * The code under test, in use: it writes to `disk` and tells `history` what it attempts and what was
 * acknowledged.
 */
export type Workload<T> = (disk: SimDisk, history: History<T>, recorder: Recorder) => Promise<void>;

/**
 * Runs a workload once, and keeps the disk as it is before each mutating operation and at the end. The disk is unhurried, so an
 * acknowledgement that does not wait for an operation is in the history before it.
 */
export async function record<T>(
  workload: Workload<T>,
  seed: number,
  timeoutMs: number,
): Promise<Recording<T>> {
  const boundaries: Boundary[] = [];
  const history = new History<T>();
  let isKept = () => true;
  const keep = (index: number, next: Boundary["next"]) => {
    boundaries.push({ index, next, disk: disk.fork(), version: history.version });
  };
  const onOperation: OperationHook = (index, kind, path) => {
    if (isKept()) keep(index, { kind, path });
  };
  const disk: SimDisk = new SimDisk({ seed, unhurried: true, onOperation });
  const faultPairs: string[] = [];
  const recorder: Recorder = {
    noteFaultPair: (pair) => faultPairs.push(pair),
    onlyWhile: (isOf) => {
      isKept = isOf;
    },
  };
  await inTime(workload(disk, history, recorder), timeoutMs, "the workload");
  keep(disk.nextOperation, undefined);
  return { boundaries, history, operations: operationsOf(disk), faultPairs };
}

/** Collects the boundaries of what happens on one fork, until it is told to stop. */
export class BoundaryCollector {
  readonly boundaries: Boundary[] = [];
  readonly #version: number;
  #isCollecting: boolean;
  #disk: SimDisk | undefined;

  constructor(version: number, isCollecting: boolean) {
    this.#version = version;
    this.#isCollecting = isCollecting;
  }

  /** The fork to watch. */
  fork(disk: SimDisk): SimDisk {
    const onOperation: OperationHook = (_, kind, path) => this.#keep({ kind, path });
    this.#disk = disk.fork(this.#isCollecting ? { onOperation } : {});
    return this.#disk;
  }

  /** The last boundary is here, unless nothing was done at all. */
  stop(): void {
    if (this.boundaries.length > 0) this.#keep(undefined);
    this.#isCollecting = false;
  }

  #keep(next: Boundary["next"]): void {
    if (!this.#isCollecting || this.#disk === undefined) return;
    const index = this.boundaries.length;
    this.boundaries.push({ index, next, disk: this.#disk.fork(), version: this.#version });
  }
}

/** The mutating operations that reached the disk, as text. */
export function operationsOf(disk: SimDisk): string[] {
  return disk.events.flatMap(({ index, kind, path, position, length, target, error }) => {
    if (index === undefined) return [];
    const range = length === undefined ? "" : ` ${position === undefined ? "to" : `${position}+`}${length}`;
    const where = path === "" ? "(root)" : path;
    return [
      `${kind} ${where}${target === undefined ? "" : ` -> ${target}`}${range}${error === undefined ? "" : ` ${error}`}`,
    ];
  });
}

/**
 * Counts the time in which this process computes or waits, not the time in which other processes have the processor.
 *
 * @throws Error if it takes longer: nothing on a SimDisk waits, so it would never end.
 */
export async function inTime<R>(promise: Promise<R>, milliseconds: number, what: string): Promise<R> {
  let timer: NodeJS.Timeout | undefined;
  const spent = stopwatch();
  const late = new Promise<never>((_, reject) => {
    const message = `${what} was not done after ${milliseconds} ms: a promise never settles`;
    const look = () => {
      const left = milliseconds - spent();
      if (left <= 0) reject(new Error(message));
      else timer = setTimeout(look, Math.ceil(left));
    };
    timer = setTimeout(look, milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Milliseconds that this process computed or waited since. */
function stopwatch(): () => number {
  const [cpu, loop] = [process.cpuUsage(), performance.eventLoopUtilization()];
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return (user + system) / 1000 + performance.eventLoopUtilization(loop).idle;
  };
}
