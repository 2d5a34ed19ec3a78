import { KayaError } from "@kaya/core";
import type { DiskFile } from "../disk.js";
import { busy, checkBytes, checkOffset, checkParts } from "../file-arguments.js";
import { failureOf, happensAllTheSame, readFailureOf, syncOutcomeOf, type WriteFaultRule } from "./faults.js";
import type { Operations } from "./operations.js";
import type { Session } from "./session.js";
import type { SimInode } from "./sim-inode.js";

// So that one wrong offset cannot take all memory.
const MAX_FILE_BYTES = 2 ** 31;

interface OpenedFile {
  readonly path: string;
  readonly inode: SimInode;
  /** How many names the inode has now. */
  readonly links: () => number;
  /** Whether its path still leads to the inode. */
  readonly hasName: () => boolean;
  readonly readOnly: boolean;
  readonly operations: Operations;
  readonly session: Session;
}

/**
 * A handle on a simulated file. Every method takes effect at the call, only its answer is asynchronous; on an unhurried disk mutations take
 * effect a turn later.
 */
export class SimFile implements DiskFile {
  readonly path: string;
  readonly syncsBeside = true;
  readonly #inode: SimInode;
  readonly #links: () => number;
  readonly #hasName: () => boolean;
  readonly #readOnly: boolean;
  readonly #operations: Operations;
  readonly #session: Session;
  #closed = false;
  /** Mutating operations other than syncs that wait for their turn. */
  #waiting = 0;
  #syncFailure: KayaError | undefined;

  constructor(opened: OpenedFile) {
    this.path = opened.path;
    this.#inode = opened.inode;
    this.#links = opened.links;
    this.#hasName = opened.hasName;
    this.#readOnly = opened.readOnly;
    this.#operations = opened.operations;
    this.#session = opened.session;
  }

  async length(): Promise<number> {
    this.#checkOpen();
    return this.#operations.read({ kind: "length", path: this.path }, () => this.#inode.length);
  }

  /** Known to the system without the disk: no fault meets it. */
  async links(): Promise<number> {
    this.#checkOpen();
    return this.#operations.observe({ kind: "links", path: this.path }, this.#links);
  }

  hasNameSync(): boolean {
    this.#checkOpen();
    return this.#operations.observe({ kind: "links", path: this.path }, this.#hasName);
  }

  async readAt(position: number, into: Uint8Array): Promise<number> {
    return this.readAtSync(position, into);
  }

  /** One event of the kind `readAt`, as `readAt` makes, with the same faults. */
  readAtSync(position: number, into: Uint8Array): number {
    this.#checkOpen();
    checkOffset(position, "position", this.path);
    checkBytes(into, this.path);
    const event = { kind: "readAt", path: this.path, position, length: into.length } as const;
    return this.#operations.read(event, () => {
      if (this.#inode.canRead(position, into.length)) return this.#inode.read(position, into);
      throw readFailureOf("readAt", this.path, `unreadable bytes from ${position} on.`);
    });
  }

  async append(bytes: Uint8Array | readonly Uint8Array[]): Promise<number> {
    this.#checkWritable();
    const copy = concatenate(checkParts(bytes, this.path));
    if (this.#session.isUnhurried) await this.#turnToChange();
    return this.#append(copy);
  }

  appendSync(bytes: Uint8Array | readonly Uint8Array[]): number {
    this.#checkWritable();
    const copy = concatenate(checkParts(bytes, this.path));
    this.#checkFree("appended to");
    return this.#append(copy);
  }

  async writeAt(
    position: number,
    bytes: Uint8Array | readonly Uint8Array[],
    expectedLength?: number,
  ): Promise<number> {
    this.#checkWritable();
    checkOffset(position, "position", this.path);
    const copy = concatenate(checkParts(bytes, this.path));
    if (this.#session.isUnhurried) await this.#turnToChange();
    return this.#writeAt(position, copy, expectedLength);
  }

  writeAtSync(position: number, bytes: Uint8Array | readonly Uint8Array[], expectedLength?: number): number {
    this.#checkWritable();
    checkOffset(position, "position", this.path);
    const copy = concatenate(checkParts(bytes, this.path));
    this.#checkFree("written");
    return this.#writeAt(position, copy, expectedLength);
  }

  async truncate(length: number): Promise<void> {
    this.#checkWritable();
    checkOffset(length, "length", this.path);
    if (this.#session.isUnhurried) await this.#turnToChange();
    this.#truncate(length);
  }

  truncateSync(length: number): void {
    this.#checkWritable();
    checkOffset(length, "length", this.path);
    this.#checkFree("truncated");
    this.#truncate(length);
  }

  async sync(): Promise<void> {
    this.#checkWritable();
    if (this.#session.isUnhurried) await this.#turn();
    this.#sync();
  }

  syncSync(): void {
    this.#checkWritable();
    this.#checkFree("synced");
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
    this.#sync();
  }

  async close(): Promise<void> {
    if (this.#closed || this.#session.isOver) return;
    // Operations under way go first; if the session ends meanwhile, so does the handle.
    if (this.#session.isUnhurried) await this.#session.turn(this.path).catch(() => undefined);
    if (this.#closed || this.#session.isOver) return;
    this.#operations.observe({ kind: "close", path: this.path }, () => {
      this.#closed = true;
    });
  }

  #writeAt(position: number, copy: Uint8Array, expectedLength: number | undefined): number {
    const { length } = this.#inode;
    if (expectedLength === undefined || length === expectedLength) this.#write("writeAt", position, copy);
    return length;
  }

  #append(bytes: Uint8Array): number {
    const end = this.#inode.length;
    this.#write("append", end, bytes);
    return end;
  }

  #truncate(length: number): void {
    this.#operations.mutate({ kind: "truncate", path: this.path, length }, () => {
      this.#checkEnd(length);
      this.#inode.truncate(length);
    });
  }

  #sync(): void {
    this.#operations.mutateInParts({ kind: "sync", path: this.path }, (fault) => {
      if (fault !== undefined) {
        this.#inode.failSync(syncOutcomeOf(fault));
        this.#syncFailure = failureOf(fault, "sync", this.path);
        throw this.#syncFailure;
      }
      this.#inode.sync();
    });
  }

  #write(kind: "append" | "writeAt", position: number, bytes: Uint8Array): void {
    const event = { kind, path: this.path, position, length: bytes.length } as const;
    this.#operations.mutateInParts(event, (fault) => {
      const room = fault === undefined || happensAllTheSame(fault) ? bytes.length : roomLeft(fault);
      if (bytes.length > 0) this.#checkEnd(position + bytes.length);
      this.#inode.write(position, bytes.subarray(0, room));
      if (fault !== undefined) throw failureOf(fault, kind, this.path);
    });
  }

  /** The turn of an operation that synchronous ones must not overtake. */
  async #turnToChange(): Promise<void> {
    this.#waiting++;
    try {
      await this.#turn();
    } finally {
      this.#waiting--;
    }
  }

  #checkFree(what: string): void {
    if (this.#waiting > 0) throw busy(this.path, what);
  }

  async #turn(): Promise<void> {
    await this.#session.turn(this.path);
    this.#checkOpen();
  }

  #checkEnd(end: number): void {
    if (end <= MAX_FILE_BYTES) return;
    throw new KayaError(
      "KAYA_IO",
      `${this.path}: a simulated file ends at ${MAX_FILE_BYTES} bytes, not ${end}`,
    );
  }

  #checkWritable(): void {
    this.#checkOpen();
    if (this.#readOnly) throw new KayaError("KAYA_INVALID_ARGUMENT", `${this.path} was opened read-only`);
  }

  #checkOpen(): void {
    this.#session.check(this.path);
    if (this.#closed) throw new KayaError("KAYA_CLOSED", `${this.path} is closed`);
  }
}

function roomLeft(fault: WriteFaultRule): number {
  return fault.kind === "partial-write" ? fault.bytes : 0;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  // Copied before they are measured: shared memory may grow meanwhile.
  const copies = parts.map((part) => new Uint8Array(part));
  return copies.length === 1 ? (copies[0] as Uint8Array) : new Uint8Array(Buffer.concat(copies));
}
