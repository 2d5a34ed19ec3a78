import { KayaError } from "@kaya/core";
import type { DiskFile } from "@kaya/io";
import { viewOf } from "./record-codec.js";

/** Bytes of one sequential read. */
export const WINDOW_BYTES = 1024 * 1024;

/**
 * A moving view of a file that is read from front to back in large pieces. Each piece is a buffer of its own that is
 * never written again, so views of it may be handed out.
 */
export class FileWindow {
  readonly #file: DiskFile;
  /** The file's length when the reading began. */
  readonly fileLength: number;
  bytes = new Uint8Array(0);
  view = viewOf(this.bytes);
  /** File offset of `bytes[0]`. */
  start = 0;

  constructor(file: DiskFile, fileLength: number) {
    this.#file = file;
    this.fileLength = fileLength;
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
    const length = Math.min(Math.max(atLeast, WINDOW_BYTES), this.fileLength - offset);
    const bytes = await readExactly(this.#file, offset, length);
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.start = offset;
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
  const bytes = new Uint8Array(length);
  const bytesRead = await file.readAt(offset, bytes);
  if (bytesRead === length) return bytes;
  throw new KayaError(
    "KAYA_IO",
    `${file.path} got shorter while it was read: it ends at ${offset + bytesRead} now. Is another process writing to it?`,
  );
}
