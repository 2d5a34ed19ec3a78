import { close, fstat, ftruncate, type Stats, write } from "node:fs";
import { promisify } from "node:util";
import type { FileDescriptor } from "./node-file.js";

const closeFile = promisify(close);
const stat = promisify(fstat);
const truncate = promisify(ftruncate);
const writeBytes = promisify(write);

/** A file that was opened synchronously: Node makes no `FileHandle` of a descriptor. */
export class OpenedFile implements FileDescriptor {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  stat(): Promise<Stats> {
    return stat(this.fd);
  }

  truncate(length: number): Promise<void> {
    return truncate(this.fd, length);
  }

  async write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }> {
    return writeBytes(this.fd, bytes, offset, length, position);
  }

  close(): Promise<void> {
    return closeFile(this.fd);
  }
}
