import { KayaError } from "@kaya/core";
import type { DirEntry, Disk, DiskFile, DiskLock, OpenOptions, SimDisk } from "@kaya/io";

/**
 * A SimDisk up to the moment when the machine stops: mutating operation number `haltAt` is not done any more, and
 * neither it nor anything after it ever answers.
 */
export class HaltingDisk implements Disk {
  readonly halted: Promise<void>;
  readonly #inner: SimDisk;
  readonly #haltAt: number;
  #isHalted = false;
  #halt: () => void = () => undefined;

  constructor(inner: SimDisk, haltAt = Number.POSITIVE_INFINITY) {
    this.#inner = inner;
    this.#haltAt = haltAt;
    this.halted = new Promise((resolve) => {
      this.#halt = resolve;
    });
  }

  get isHalted(): boolean {
    return this.#isHalted;
  }

  /** Stops it now. Without this a process that was killed would go on, through names, in the time after it. */
  halt(): void {
    this.#isHalted = true;
    this.#halt();
  }

  mutate<T>(run: () => Promise<T>): Promise<T> {
    if (this.#inner.nextOperation >= this.#haltAt) this.halt();
    return this.observe(run);
  }

  /** What is synchronous cannot be left without an answer: it fails. */
  mutateSync<T>(path: string, run: () => T): T {
    if (this.#inner.nextOperation >= this.#haltAt) this.halt();
    if (this.#isHalted) throw new KayaError("KAYA_CLOSED", `${path}: the machine stands still`);
    return run();
  }

  observe<T>(run: () => Promise<T>): Promise<T> {
    return this.#isHalted ? new Promise<T>(() => undefined) : run();
  }

  async open(path: string, options?: OpenOptions): Promise<DiskFile> {
    const run = () => this.#inner.open(path, options);
    const file = options?.create === true ? await this.mutate(run) : await this.observe(run);
    return new HaltingFile(this, file);
  }
  list(dir: string): Promise<DirEntry[]> {
    return this.observe(() => this.#inner.list(dir));
  }
  rename(from: string, to: string): Promise<void> {
    return this.mutate(() => this.#inner.rename(from, to));
  }
  remove(path: string): Promise<void> {
    return this.mutate(() => this.#inner.remove(path));
  }
  syncDir(dir: string): Promise<void> {
    return this.mutate(() => this.#inner.syncDir(dir));
  }
  lock(path: string): Promise<DiskLock> {
    return this.observe(() => this.#inner.lock(path));
  }
}

class HaltingFile implements DiskFile {
  readonly path: string;
  readonly syncsBeside = true;
  readonly #disk: HaltingDisk;
  readonly #file: DiskFile;

  constructor(disk: HaltingDisk, file: DiskFile) {
    this.path = file.path;
    this.#disk = disk;
    this.#file = file;
  }

  length(): Promise<number> {
    return this.#disk.observe(() => this.#file.length());
  }
  links(): Promise<number> {
    return this.#disk.observe(() => this.#file.links());
  }
  readAt(position: number, into: Uint8Array): Promise<number> {
    return this.#disk.observe(() => this.#file.readAt(position, into));
  }
  readAtSync(position: number, into: Uint8Array): number {
    if (this.#disk.isHalted) throw new KayaError("KAYA_CLOSED", `${this.path}: the machine stands still`);
    return this.#file.readAtSync(position, into);
  }
  append(bytes: Uint8Array | readonly Uint8Array[]): Promise<number> {
    return this.#disk.mutate(() => this.#file.append(bytes));
  }
  writeAt(
    position: number,
    bytes: Uint8Array | readonly Uint8Array[],
    expectedLength?: number,
  ): Promise<number> {
    return this.#disk.mutate(() => this.#file.writeAt(position, bytes, expectedLength));
  }
  truncate(length: number): Promise<void> {
    return this.#disk.mutate(() => this.#file.truncate(length));
  }
  sync(): Promise<void> {
    return this.#disk.mutate(() => this.#file.sync());
  }
  hasNameSync(): boolean {
    return this.#file.hasNameSync();
  }
  appendSync(bytes: Uint8Array | readonly Uint8Array[]): number {
    return this.#disk.mutateSync(this.path, () => this.#file.appendSync(bytes));
  }
  writeAtSync(position: number, bytes: Uint8Array | readonly Uint8Array[], expectedLength?: number): number {
    return this.#disk.mutateSync(this.path, () => this.#file.writeAtSync(position, bytes, expectedLength));
  }
  truncateSync(length: number): void {
    this.#disk.mutateSync(this.path, () => this.#file.truncateSync(length));
  }
  syncSync(): void {
    this.#disk.mutateSync(this.path, () => this.#file.syncSync());
  }
  close(): Promise<void> {
    return this.#disk.observe(() => this.#file.close());
  }
}
