import { KayaError } from "@kaya/core";
import type { Disk, DiskFile, DiskLock, OpenOptions, SimDisk } from "@kaya/io";

export interface Operation {
  /** The method's name. */
  readonly kind: string;
  readonly path: string;
  readonly mutates: boolean;
}

/** Called before each operation; where it gives a promise, the operation waits for it. */
export type Intercept = (operation: Operation) => Promise<void> | undefined;

/** A disk with somebody in between: to look at each moment, to hold an operation up, or to stop the process there. */
export class InterceptedDisk implements Disk {
  readonly #disk: Disk;
  readonly #intercept: Intercept;

  constructor(disk: Disk, intercept: Intercept) {
    this.#disk = disk;
    this.#intercept = intercept;
  }

  async open(path: string, options: OpenOptions = {}): Promise<DiskFile> {
    const mutates = options.create === true;
    const file = await this.#run("open", path, mutates, () => this.#disk.open(path, options));
    const read = <T>(kind: string, run: () => Promise<T>) => this.#run(kind, path, false, run);
    const change = <T>(kind: string, run: () => Promise<T>) => this.#run(kind, path, true, run);
    // What is synchronous cannot wait: it fails where it would have to.
    const now = <T>(kind: string, mutates: boolean, run: () => T): T => {
      if (this.#intercept({ kind, path, mutates }) === undefined) return run();
      throw new KayaError("KAYA_CLOSED", `${path}: ${kind} cannot be held up`);
    };
    return {
      path: file.path,
      syncsBeside: file.syncsBeside,
      hasNameSync: () => file.hasNameSync(),
      appendSync: (bytes) => now("appendSync", true, () => file.appendSync(bytes)),
      writeAtSync: (position, bytes, expectedLength) =>
        now("writeAtSync", true, () => file.writeAtSync(position, bytes, expectedLength)),
      truncateSync: (length) => now("truncateSync", true, () => file.truncateSync(length)),
      syncSync: () => now("syncSync", true, () => file.syncSync()),
      length: () => read("length", () => file.length()),
      links: () => file.links(),
      readAt: (position, into) => read("readAt", () => file.readAt(position, into)),
      readAtSync: (position, into) => now("readAtSync", false, () => file.readAtSync(position, into)),
      append: (bytes) => change("append", () => file.append(bytes)),
      writeAt: (position, bytes, expectedLength) =>
        change("writeAt", () => file.writeAt(position, bytes, expectedLength)),
      truncate: (length) => change("truncate", () => file.truncate(length)),
      sync: () => change("sync", () => file.sync()),
      close: () => read("close", () => file.close()),
    };
  }

  list(dir: string) {
    return this.#run("list", dir, false, () => this.#disk.list(dir));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run("rename", from, true, () => this.#disk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#run("remove", path, true, () => this.#disk.remove(path));
  }

  syncDir(dir: string): Promise<void> {
    return this.#run("syncDir", dir, true, () => this.#disk.syncDir(dir));
  }

  async lock(path: string): Promise<DiskLock> {
    const lock = await this.#run("lock", path, false, () => this.#disk.lock(path));
    return {
      cleanStart: lock.cleanStart,
      mark: lock.mark,
      lastMark: lock.lastMark,
      release: (options) => this.#run("release", path, false, () => lock.release(options)),
    };
  }

  async #run<T>(kind: string, path: string, mutates: boolean, operation: () => Promise<T>): Promise<T> {
    const pause = this.#intercept({ kind, path, mutates });
    if (pause !== undefined) await pause;
    return operation();
  }
}

/**
 * A disk whose process stops before the mutating operation number `at`: that one and all that come later never begin and
 * never answer. `stopped` resolves then.
 */
export function stopBefore(at: number, disk: SimDisk): { disk: Disk; stopped: Promise<void> } {
  let isStopped = false;
  let stop: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const intercepted = new InterceptedDisk(disk, ({ mutates }) => {
    if (mutates && disk.nextOperation >= at) {
      isStopped = true;
      stop();
    }
    return isStopped ? new Promise<void>(() => undefined) : undefined;
  });
  return { disk: intercepted, stopped };
}

/** A disk on which the operations that `holds` says wait until `release` is called. */
export function holdUp(
  disk: Disk,
  holds: (operation: Operation) => boolean,
): { disk: Disk; release(): void; readonly held: Promise<void> } {
  let release: () => void = () => undefined;
  let arrived: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const intercepted = new InterceptedDisk(disk, (operation) => {
    if (!holds(operation)) return undefined;
    arrived();
    return gate;
  });
  return { disk: intercepted, release, held };
}
