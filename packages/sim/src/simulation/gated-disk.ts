import type { DirEntry, Disk, DiskFile, DiskLock, MutatingKind, OpenOptions, SimDisk } from "@kaya/io";
import type { ArmedFaults, ReadingKind } from "./armed-faults.js";

/**
 * The disk of one process. What would change it waits at the gate until the simulation lets it through, so a run can stop
 * at any operation; armed faults meet it there. When the process dies, what waits never happens and never answers.
 */
export class GatedDisk implements Disk {
  readonly #disk: SimDisk;
  readonly #faults: ArmedFaults;
  readonly #waiting: (() => void)[] = [];
  #allows: () => boolean = closed;
  #isDead = false;

  constructor(disk: SimDisk, faults: ArmedFaults) {
    this.#disk = disk;
    this.#faults = faults;
  }

  /** Lets everything through, what waits and what comes, as long as `allows` says so before each operation. */
  openWhile(allows: () => boolean): void {
    this.#allows = allows;
    while (this.#waiting.length > 0 && allows()) this.#waiting.shift()?.();
  }

  close(): void {
    this.#allows = closed;
  }

  /** Nothing waits: what the process does, it does without the disk. */
  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }

  die(): void {
    this.#isDead = true;
    this.#waiting.length = 0;
  }

  async open(path: string, options: OpenOptions = {}): Promise<DiskFile> {
    const open = () => this.#disk.open(path, options);
    const file = await (options.create === true
      ? this.#change("open", path, open)
      : this.#read("open", path, open));
    const change = <T>(kind: MutatingKind, run: () => Promise<T>) => this.#change(kind, path, run);
    return {
      path: file.path,
      length: () => this.#read("length", path, () => file.length()),
      readAt: (position, into) => this.#read("readAt", path, () => file.readAt(position, into)),
      append: (bytes) => change("append", () => file.append(bytes)),
      writeAt: (position, bytes) => change("writeAt", () => file.writeAt(position, bytes)),
      truncate: (length) => change("truncate", () => file.truncate(length)),
      sync: () => change("sync", () => file.sync()),
      close: () => this.#look(() => file.close()),
    };
  }

  list(dir: string): Promise<DirEntry[]> {
    return this.#read("list", dir, () => this.#disk.list(dir));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#change("rename", from, () => this.#disk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#change("remove", path, () => this.#disk.remove(path));
  }

  syncDir(dir: string): Promise<void> {
    return this.#change("syncDir", dir, () => this.#disk.syncDir(dir));
  }

  /** A dead process' lock is gone: the disk sees to that. */
  lock(path: string): Promise<DiskLock> {
    return this.#look(() => this.#disk.lock(path));
  }

  #read<T>(kind: ReadingKind, path: string, run: () => Promise<T>): Promise<T> {
    const rule = this.#isDead ? undefined : this.#faults.nextReadRule(this.#disk.nextRead, kind, path);
    if (rule !== undefined) this.#disk.addFault(rule);
    return this.#look(run);
  }

  #look<T>(run: () => Promise<T>): Promise<T> {
    return this.#isDead ? never() : run();
  }

  #change<T>(kind: MutatingKind, path: string, run: () => Promise<T>): Promise<T> {
    if (this.#isDead) return never();
    const begin = () => {
      const rule = this.#faults.nextRule(this.#disk.nextOperation, kind, path);
      if (rule !== undefined) this.#disk.addFault(rule);
      return run();
    };
    if (this.#waiting.length === 0 && this.#allows()) return begin();
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => void begin().then(resolve, reject));
    });
  }
}

function closed(): boolean {
  return false;
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
