import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { identityOf, isSame } from "./file-identity.js";

/**
 * A second descriptor of an open file, for an fsync beside one that is under way. Linux reports a failed write-back once to each open file
 * description (errseq_t): with one descriptor the fsync in the thread pool may get the error, and the other, which waited for the same
 * pages, would report success. With two, each gets it.
 */
export class SyncDescriptor {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Undefined if no descriptor is left, or the name leads to another file by now. It is opened before anything is written. */
  static open(way: string, fd: number): SyncDescriptor | undefined {
    if (process.platform !== "linux") return undefined;
    let own: number | undefined;
    try {
      own = openSync(way, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
      if (isSame(identityOf(fstatSync(fd, { bigint: true })), fstatSync(own, { bigint: true })))
        return new SyncDescriptor(own);
    } catch {
      // calls that need it get KAYA_BUSY
    }
    if (own !== undefined) closeSync(own);
    return undefined;
  }

  close(): void {
    closeSync(this.fd);
  }
}
