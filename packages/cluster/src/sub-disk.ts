import {
  assertDisk,
  type DirEntry,
  type Disk,
  type DiskFile,
  type DiskLock,
  type OpenOptions,
} from "@kaya/io";

/** Presents a directory of a disk as a disk. It has no synchronous methods. */
export class SubDisk implements Disk {
  readonly root: string | undefined;
  readonly #disk: Disk;
  readonly #dir: string;

  /** @param dir the path of the directory on the disk */
  constructor(disk: Disk, dir: string) {
    assertDisk(disk);
    this.#disk = disk;
    this.#dir = dir;
    this.root = disk.root === undefined ? undefined : `${disk.root}/${dir}`;
  }

  open(path: string, options?: OpenOptions): Promise<DiskFile> {
    const like = options?.like;
    return this.#disk.open(this.#path(path), {
      ...options,
      ...(like !== undefined && { like: this.#path(like) }),
    });
  }

  async list(dir: string): Promise<DirEntry[]> {
    const entries = await this.#disk.list(this.#path(dir));
    return entries.map((entry) => ({ ...entry, path: entry.path.slice(this.#dir.length + 1) }));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(this.#path(from), this.#path(to));
  }

  remove(path: string): Promise<void> {
    return this.#disk.remove(this.#path(path));
  }

  async syncDir(dir: string): Promise<void> {
    await this.#disk.syncDir(this.#path(dir));
    if (dir === "") await this.#disk.syncDir(""); // makes the name of `dir` durable
  }

  lock(path: string): Promise<DiskLock> {
    return this.#disk.lock(this.#path(path));
  }

  #path(path: string): string {
    return path === "" ? this.#dir : `${this.#dir}/${path}`;
  }
}
