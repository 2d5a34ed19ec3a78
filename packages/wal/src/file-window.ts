import { KayaError } from "@kaya/core";
import type { DiskFile } from "@kaya/io";
import { viewOf } from "./views.js";

/** Bytes of one sequential read. */
export const WINDOW_BYTES = 1024 * 1024;

/** At most so many unread bytes are copied into the next window: most records are shorter. */
const CARRIED_BYTES = 64 * 1024;

/** A read that began before its bytes were needed. */
interface ReadAhead {
  readonly from: number;
  readonly to: number;
  /** The bytes follow `CARRIED_BYTES` of room for the rest of the window before. */
  readonly buffer: Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * A moving view of a file that is read from front to back in large pieces. Each piece is a buffer of its own that is
 * never written again, so views of it may be handed out. With `readsAhead` the next piece is read while this one is looked at;
 * then `finish` must be called before the file is closed.
 */
export class FileWindow {
  readonly #file: DiskFile;
  readonly #readsAhead: boolean;
  readonly #windowBytes: number;
  #ahead: ReadAhead | undefined;
  /** The file's length when the reading began. */
  readonly fileLength: number;
  bytes: Uint8Array = new Uint8Array(0);
  view = viewOf(this.bytes);
  /** File offset of `bytes[0]`. */
  start = 0;

  /** @param fileLength bytes behind it are not read */
  constructor(file: DiskFile, fileLength: number, { readsAhead = false, windowBytes = WINDOW_BYTES } = {}) {
    this.#file = file;
    this.fileLength = fileLength;
    this.#readsAhead = readsAhead;
    this.#windowBytes = windowBytes;
  }

  /** File offset behind the last byte of the window. */
  get end(): number {
    return this.start + this.bytes.length;
  }

  get reachesEnd(): boolean {
    return this.end === this.fileLength;
  }

  /**
   * Moves the window so that it begins at `offset` and holds at least `atLeast` bytes, or all that are left. The
   * caller has checked `atLeast`: it is what gets allocated.
   * @throws KayaError KAYA_IO, also where the file got shorter meanwhile.
   */
  async moveTo(offset: number, atLeast: number): Promise<void> {
    const bytes = (await this.#carryOver(offset, atLeast)) ?? (await this.#read(offset, atLeast));
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.start = offset;
    if (this.#readsAhead && !this.reachesEnd) this.#ahead = this.#readAhead(this.end);
  }

  /** Waits for the end of a read ahead, and ignores its outcome. */
  async finish(): Promise<void> {
    await this.#ahead?.buffer.catch(() => undefined);
    this.#ahead = undefined;
  }

  async #read(offset: number, atLeast: number): Promise<Uint8Array> {
    await this.finish();
    const length = Math.min(Math.max(atLeast, this.#windowBytes), this.fileLength - offset);
    return readExactly(this.#file, offset, length);
  }

  #readAhead(from: number): ReadAhead {
    const to = Math.min(from + this.#windowBytes, this.fileLength);
    const buffer = readBehind(this.#file, from, to - from, CARRIED_BYTES);
    buffer.catch(() => undefined); // reported when the bytes are needed
    return { from, to, buffer };
  }

  /** The bytes read ahead, with the rest of this window before them; undefined if another part is needed. */
  async #carryOver(offset: number, atLeast: number): Promise<Uint8Array | undefined> {
    const ahead = this.#ahead;
    if (ahead === undefined || offset < this.start || offset > ahead.from) return undefined;
    const carried = ahead.from - offset;
    if (carried > CARRIED_BYTES || Math.min(offset + atLeast, this.fileLength) > ahead.to) return undefined;
    this.#ahead = undefined;
    const buffer = await ahead.buffer;
    buffer.set(this.bytes.subarray(offset - this.start), CARRIED_BYTES - carried);
    return buffer.subarray(CARRIED_BYTES - carried);
  }
}

/**
 * `length` bytes from `offset` on, in a buffer of their own. The caller has checked that the file has them.
 * @throws KayaError KAYA_IO, also where the file got shorter meanwhile: a short read is never the end of the log
 */
export async function readExactly(
  file: DiskFile,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  return readBehind(file, offset, length, 0);
}

/** The same with `room` bytes before it in the buffer. */
async function readBehind(
  file: DiskFile,
  offset: number,
  length: number,
  room: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(room + length);
  const bytesRead = await file.readAt(offset, buffer.subarray(room));
  if (bytesRead === length) return buffer;
  throw new KayaError(
    "KAYA_IO",
    `${file.path} got shorter while it was read: it ends at ${offset + bytesRead} now. Is another process writing to it?`,
  );
}
