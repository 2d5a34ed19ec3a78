import type { Disk, DiskFile, OpenOptions } from "@kaya/io";
import { type LogFollower, type WalPayload, type WalRecord, WalWriter } from "../src/index.js";
import { fill, PassingDisk, put } from "./support.js";

/** Takes all that a follower has, and notes how it ends. */
export class Reader {
  readonly records: WalRecord[] = [];
  /** Undefined while it goes on, and where it ended without an error. */
  error: unknown;
  readonly over: Promise<void>;

  constructor(follower: LogFollower) {
    this.over = this.#read(follower);
  }

  async #read(follower: LogFollower): Promise<void> {
    try {
      for await (const record of follower) this.records.push(record);
    } catch (error) {
      this.error = error;
    }
  }

  get lsns(): number[] {
    return this.records.map(({ lsn }) => lsn);
  }
}

/** Two records fill one of its segments. */
export const TWO_A_SEGMENT = { segmentMaxBytes: 200 };
export const HALF_A_SEGMENT: WalPayload = put("k", fill(51));

/** A log of `count` records, two a segment. */
export async function logOf(count: number, disk: Disk): Promise<WalWriter> {
  const writer = await WalWriter.open(TWO_A_SEGMENT, disk);
  for (let i = 0; i < count; i++) await writer.append(HALF_A_SEGMENT);
  return writer;
}

export async function take(follower: LogFollower, count: number): Promise<number[]> {
  const lsns: number[] = [];
  while (lsns.length < count) {
    const { done, value } = await follower.next();
    if (done === true) break;
    lsns.push(value.lsn);
  }
  return lsns;
}

export const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Counts the files that are open for reading only, and the bytes that are read from them. */
export class CountingDisk extends PassingDisk {
  openFiles = 0;
  opened = 0;
  bytesRead = 0;
  largestRead = 0;

  override async open(path: string, options?: OpenOptions): Promise<DiskFile> {
    const file = await super.open(path, options);
    if (options?.readOnly !== true) return file;
    this.openFiles++;
    this.opened++;
    const close = file.close.bind(file);
    const readAt = file.readAt.bind(file);
    let isOpen = true;
    file.close = async () => {
      if (isOpen) this.openFiles--;
      isOpen = false;
      await close();
    };
    file.readAt = async (position, into) => {
      const read = await readAt(position, into);
      this.bytesRead += read;
      this.largestRead = Math.max(this.largestRead, into.length);
      return read;
    };
    return file;
  }
}
