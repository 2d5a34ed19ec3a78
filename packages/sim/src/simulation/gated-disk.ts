import { KayaError } from "@kaya/core";
import type {
  CreateOptions,
  DirEntry,
  Disk,
  DiskFile,
  DiskLock,
  MutatingKind,
  OpenOptions,
  SimDisk,
} from "@kaya/io";
import type { ArmedFaults, ReadingKind, Strike } from "./armed-faults.js";
import { type Gate, never } from "./gate.js";

export interface GatedDiskOptions {
  /** Where the faults that meet it are noted. Default: with those of the data directory. */
  readonly strikes?: Strike[];
  /** Reads wait too, at their own gate. */
  readonly reads?: Gate;
}

/** A disk for one process: mutating operations go through the gate, then meet armed faults. */
export class GatedDisk implements Disk {
  readonly #disk: SimDisk;
  readonly #faults: ArmedFaults;
  readonly #gate: Gate;
  readonly #strikes: Strike[];
  readonly #reads: Gate | undefined;

  constructor(disk: SimDisk, faults: ArmedFaults, gate: Gate, options: GatedDiskOptions = {}) {
    this.#disk = disk;
    this.#faults = faults;
    this.#gate = gate;
    this.#strikes = options.strikes ?? faults.strikes;
    this.#reads = options.reads;
  }

  async open(path: string, options: OpenOptions = {}): Promise<DiskFile> {
    const open = () => this.#disk.open(path, options);
    const file = await (options.create === true
      ? this.#change("open", path, open)
      : this.#read("open", path, open));
    return this.#gated(file);
  }

  createSync(path: string, options: CreateOptions = {}): DiskFile {
    return this.#gated(this.#changeNow("open", path, () => this.#disk.createSync(path, options)));
  }

  renameSync(from: string, to: string): void {
    this.#changeNow("rename", from, () => this.#disk.renameSync(from, to));
  }

  removeSync(path: string): void {
    this.#changeNow("remove", path, () => this.#disk.removeSync(path));
  }

  syncDirSync(dir: string): void {
    this.#changeNow("syncDir", dir, () => this.#disk.syncDirSync(dir));
  }

  #gated(file: DiskFile): DiskFile {
    const { path } = file;
    const change = <T>(kind: MutatingKind, run: () => Promise<T>) => this.#change(kind, path, run);
    const changeNow = <T>(kind: MutatingKind, run: () => T) => this.#changeNow(kind, path, run);
    return {
      path,
      syncsBeside: file.syncsBeside,
      hasNameSync: () => file.hasNameSync(),
      appendSync: (bytes) => changeNow("append", () => file.appendSync(bytes)),
      writeAtSync: (position, bytes, expectedLength) =>
        changeNow("writeAt", () => file.writeAtSync(position, bytes, expectedLength)),
      truncateSync: (length) => changeNow("truncate", () => file.truncateSync(length)),
      syncSync: () => changeNow("sync", () => file.syncSync()),
      length: () => this.#read("length", path, () => file.length()),
      links: () => this.#look(() => file.links()),
      readAt: (position, into) => this.#read("readAt", path, () => file.readAt(position, into)),
      readAtSync: (position, into) => this.#readNow(path, () => file.readAtSync(position, into)),
      append: (bytes) => change("append", () => file.append(bytes)),
      writeAt: (position, bytes, expectedLength) =>
        change("writeAt", () => file.writeAt(position, bytes, expectedLength)),
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
    return this.#look(() => {
      const rule = this.#faults.nextReadRule(this.#disk.nextRead, kind, path, this.#strikes);
      if (rule !== undefined) this.#disk.addFault(rule);
      return run();
    });
  }

  /** Does not wait at the gate: a synchronous call cannot. */
  #changeNow<T>(kind: MutatingKind, path: string, run: () => T): T {
    if (this.#gate.isDead) throw new KayaError("KAYA_CLOSED", `${path}: the process is dead`);
    this.#gate.noteMove();
    const rule = this.#faults.nextRule(this.#disk.nextOperation, kind, path, this.#strikes);
    if (rule !== undefined) this.#disk.addFault(rule);
    return run();
  }

  /** Does not wait at the gate for reads: a synchronous call cannot. */
  #readNow<T>(path: string, run: () => T): T {
    if (this.#gate.isDead) throw new KayaError("KAYA_CLOSED", `${path}: the process is dead`);
    const rule = this.#faults.nextReadRule(this.#disk.nextRead, "readAt", path, this.#strikes);
    if (rule !== undefined) this.#disk.addFault(rule);
    return run();
  }

  #look<T>(run: () => Promise<T>): Promise<T> {
    if (this.#gate.isDead) return never();
    this.#gate.noteMove();
    return this.#reads === undefined ? run() : this.#reads.pass(run);
  }

  #change<T>(kind: MutatingKind, path: string, run: () => Promise<T>): Promise<T> {
    return this.#gate.pass(() => {
      const rule = this.#faults.nextRule(this.#disk.nextOperation, kind, path, this.#strikes);
      if (rule !== undefined) this.#disk.addFault(rule);
      return run();
    });
  }
}
