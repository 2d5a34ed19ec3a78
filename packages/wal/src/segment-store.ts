import { invariant, KayaError, type Lsn, type WalConfig } from "@kaya/core";
import type { Disk, DiskFile } from "@kaya/io";
import { ClosedSegments, type KeptLog } from "./closed-segments.js";
import { finalDirSync, finalDirSyncNow, finalSync, finalSyncNow } from "./final-sync.js";
import type { LogIdentity } from "./log-identity.js";
import type { LogWatch } from "./log-watch.js";
import type { LogSegment, RecoveredLog } from "./recovery.js";
import type { SynchronousDisk } from "./sealed-file.js";
import { isGone, isTaken, notTakenBack } from "./segment-errors.js";
import { segmentPath, WAL_DIR } from "./segments.js";
import { SpaceAhead } from "./space-ahead.js";

/** A batch, in one piece or in several. */
type Bytes = Uint8Array | readonly Uint8Array[];

interface OpenSegment {
  readonly id: number;
  readonly path: string;
  /** Undefined until the recovered tail is finished. */
  file: DiskFile | undefined;
  /** Everything before it is written and stays; later bytes of a failed write are cut. */
  end: number;
  /** Length of the file. From `end` up to here are zeros: space for later records (W8). */
  fileEnd: number;
  /** Its part that followers may read, and the last record of that: on stable storage, or in a log in front of this one. */
  durable: { readonly end: number; readonly lastLsn: Lsn };
}

/** The state that a writer starts from. */
interface OpenedLog extends Pick<RecoveredLog, "segments" | "after" | "beginsAfter" | "finishTail"> {
  /** If given, it is made before each segment is created. */
  readonly identity?: LogIdentity | undefined;
}

/**
 * The files of a log that is written to: the open segment, and the closed ones behind it. It knows bytes and files, not records; W1 to W3
 * fix the order of its steps.
 */
export class SegmentStore {
  readonly #disk: Disk;
  readonly #watch: LogWatch;
  readonly #space: SpaceAhead;
  readonly #after: Lsn;
  readonly #closed: ClosedSegments;
  #open: OpenSegment | undefined;
  readonly #identity: LogIdentity | undefined;
  /** It may still run in another thread after a synchronous commit closed the segment. */
  #lastSync: Promise<void> = Promise.resolve();
  /** Closed segments whose files are being closed. */
  readonly #closing = new Set<Promise<void>>();
  #rootSynced = false;
  #finishTail: (() => Promise<void>) | undefined;
  /** A segment that could not be created but may exist: it must be removed before anything is written. */
  #halfMade: string | undefined;

  private constructor(config: WalConfig, disk: Disk, log: OpenedLog, watch: LogWatch) {
    this.#disk = disk;
    this.#watch = watch;
    this.#space = new SpaceAhead(config);
    this.#after = log.after;
    this.#closed = new ClosedSegments(log.segments.slice(0, -1), log.beginsAfter);
    this.#finishTail = log.finishTail;
    this.#identity = log.identity;
    const last = log.segments.at(-1);
    if (last === undefined) return;
    const { id, path, length, lastLsn } = last;
    const durable = this.isTailFinished
      ? { end: length, lastLsn }
      : { end: 0, lastLsn: this.#closed.lastLsn };
    this.#open = { id, path, file: undefined, end: length, fileEnd: length, durable };
  }

  /** Goes on with the last of the recovered segments, where there is one. */
  static async open(config: WalConfig, disk: Disk, log: OpenedLog, watch: LogWatch): Promise<SegmentStore> {
    const store = new SegmentStore(config, disk, log, watch);
    if (store.isTailFinished) await store.#openTail();
    return store;
  }

  /** False where the disk had no room to make the recovered tail durable (R5). */
  get isTailFinished(): boolean {
    return this.#finishTail === undefined;
  }

  /** LSN of the last record in the closed segments, or before the log's beginning: durable, whatever happens to the open one. */
  get closedLsn(): Lsn {
    return Math.max(this.#closed.lastLsn, this.#after);
  }

  /** Of the last record in the log itself that followers may read. */
  get readableLsn(): Lsn {
    return this.#open?.durable.lastLsn ?? this.#closed.lastLsn;
  }

  /** LSN up to which the log was known elsewhere when it was opened: records up to it may be missing anywhere (R6). */
  get after(): Lsn {
    return this.#after;
  }

  /** The records behind this LSN are in the log, without a gap; those up to it may be gone. */
  get beginsAfter(): Lsn {
    return this.#closed.beginsAfter;
  }

  /** Everything written is on stable storage, or in a log in front of this one; `lastLsn` is of the last record. */
  markDurable(lastLsn: Lsn): void {
    if (this.#open !== undefined) this.#open.durable = { end: this.#open.end, lastLsn };
  }

  /** The segment that holds a record behind `beginsAfter`, as far as it is durable. */
  holding(lsn: Lsn): LogSegment | undefined {
    return this.#closed.holding(lsn) ?? this.durableTail;
  }

  /** A segment as far as it is durable; undefined for one that was dropped. */
  find(id: number): LogSegment | undefined {
    return id === this.#open?.id ? this.durableTail : this.#closed.find(id);
  }

  /** The open segment as far as it is durable; undefined before the first one. */
  get durableTail(): LogSegment | undefined {
    if (this.#open === undefined) return undefined;
    const { id, path, durable } = this.#open;
    return { id, path, length: durable.end, lastLsn: durable.lastLsn };
  }

  /** R2: does what recovery left undone, before anything is written. @throws KayaError KAYA_DISK_FULL while there is no room */
  async finishTail(): Promise<void> {
    if (this.#finishTail === undefined) return;
    await this.#finishTail();
    await this.#openTail();
    this.#finishTail = undefined;
  }

  async #openTail(): Promise<void> {
    if (this.#open !== undefined)
      this.#open.file = await this.#disk.open(this.#open.path, { syncsBeside: true });
  }

  /** Id of the open segment; 0 before the first one. */
  get openId(): number {
    return this.#open?.id ?? 0;
  }

  /** Length of the open segment, in bytes. */
  get openLength(): number {
    return this.#open?.end ?? 0;
  }

  get count(): number {
    return this.#closed.count + (this.#open === undefined ? 0 : 1);
  }

  /** Bytes of all segments. */
  get totalBytes(): number {
    return this.#closed.bytes + this.openLength;
  }

  /** Bytes of segments that are kept although they might have been dropped. */
  get keptBytes(): number {
    return this.#closed.keptBytes;
  }

  /**
   * Closes the open segment and creates the next one. `lastLsn` is of the last record in the segment that is closed.
   * @throws KayaError KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_INVARIANT_VIOLATION: final (W4). Others: try again, after `takeAwayHalfMade`.
   */
  async rotate(lastLsn: Lsn): Promise<void> {
    const started = performance.now();
    const old = this.#open;
    if (old !== undefined) {
      // W1: before the next segment exists, this one is durable, name and bytes, and ends with its last record.
      await this.#cutSpace(old);
      await this.#watch.fsync(old.id, finalSync(this.#fileOf(old).sync()));
      await finalDirSync(this.#disk.syncDir(WAL_DIR));
    }
    if (this.#identity?.history === undefined) await this.#identity?.make();
    const id = this.openId + 1;
    const file = await this.#create(segmentPath(id), old?.path);
    this.#open = { id, path: segmentPath(id), file, end: 0, fileEnd: 0, durable: { end: 0, lastLsn } };
    this.#space.restart();
    if (old !== undefined) {
      this.#closed.add({ id: old.id, path: old.path, length: old.end, lastLsn });
      await this.#fileOf(old).close();
    }
    const closed = old && { segmentId: old.id, bytes: old.end, lastLsn };
    this.#watch.rotated(id, closed, performance.now() - started);
  }

  async #create(path: string, before?: string): Promise<DiskFile> {
    let file: DiskFile | undefined;
    try {
      file = await this.#disk.open(path, {
        create: true,
        exclusive: true,
        syncsBeside: true,
        ...(before !== undefined && { like: before }),
      });
      await this.#makeNamesDurable();
      if (before !== undefined) await this.#assertStillThere(before);
      return file;
    } catch (error) {
      await file?.close().catch(() => undefined); // the first failure is the one to report
      if (file === undefined && KayaError.is(error, "KAYA_INVALID_ARGUMENT")) throw isTaken(path, error);
      if (!FINAL.some((code) => KayaError.is(error, code))) await this.#takeBack(path, error);
      throw error;
    }
  }

  // Creating a file recreates removed directories: the log before this segment went with them.
  async #assertStillThere(path: string): Promise<void> {
    if (!(await this.#isThere(path))) throw isGone(path);
  }

  /** Whether a segment exists. Opens the one file: a listing would read all names. */
  async #isThere(path: string): Promise<boolean> {
    try {
      await (await this.#disk.open(path, { readOnly: true })).close();
      return true;
    } catch (error) {
      // Or its name is not a file's.
      if (KayaError.is(error, "KAYA_NOT_FOUND") || KayaError.is(error, "KAYA_INVALID_ARGUMENT")) return false;
      throw error;
    }
  }

  /** W1: if it stayed, the writer would go on in a segment that is not the last. If it cannot be removed now, that is done later. */
  async #takeBack(path: string, failure: unknown): Promise<void> {
    this.#halfMade = path;
    try {
      await this.takeAwayHalfMade();
    } catch (cause) {
      notTakenBack(failure, cause);
    }
  }

  /** A segment that could not be created may exist: call `takeAwayHalfMade` before anything is written. */
  get hasHalfMade(): boolean {
    return this.#halfMade !== undefined;
  }

  /**
   * Removes a segment that could not be created, durably.
   * @throws KayaError KAYA_IO, KAYA_DISK_FULL: to be tried again; KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED: final
   */
  async takeAwayHalfMade(): Promise<void> {
    if (this.#halfMade === undefined) return;
    await this.#disk.remove(this.#halfMade);
    await finalDirSync(this.#disk.syncDir(WAL_DIR).catch(ignoreAbsent));
    this.#halfMade = undefined;
  }

  // W2: its name, and that of a new directory, before anything in it is acknowledged.
  async #makeNamesDurable(): Promise<void> {
    await finalDirSync(this.#disk.syncDir(WAL_DIR));
    if (!this.#rootSynced) await finalDirSync(this.#disk.syncDir(""));
    this.#rootSynced = true;
  }

  /**
   * Writes a batch behind the last one, over space or at the end of the file. A batch to be synced may get new space behind it.
   */
  async write(bytes: Bytes, offset: number, size: number, needsSync: boolean): Promise<void> {
    const open = this.#openSegment();
    invariant(offset === open.end, "W7", `a batch planned for offset ${offset} is written at ${open.end}`);
    const file = this.#fileOf(open);
    const length =
      offset < open.fileEnd ? await file.writeAt(offset, bytes, open.fileEnd) : await file.append(bytes);
    const space = this.#wrote(open, length, offset + size, needsSync);
    if (space > 0) await this.#makeSpace(open, file, space);
    open.end = offset + size;
  }

  /** A batch that ends at `end` was written. Gives the bytes of space to write behind it. */
  #wrote(open: OpenSegment, length: number, end: number, needsSync: boolean): number {
    this.#assertLength(open, length);
    open.fileEnd = Math.max(open.fileEnd, end);
    return needsSync ? this.#space.behind(end - open.end, end, open.fileEnd - end) : 0;
  }

  /** W7: the file is as long as this writer left it. */
  #assertLength({ path, fileEnd }: OpenSegment, length: number): void {
    if (length === fileEnd) return;
    this.#disk.assertSame?.(); // without the lock's file another process may have the log
    throw new KayaError(
      "KAYA_INVARIANT_VIOLATION",
      `W7: ${path} ends at ${length}, not at ${fileEnd}: another process writes to this log. Stop it, then open again.`,
    );
  }

  /** W8: zeros behind the log. The fsync of the batch before them covers them too. */
  async #makeSpace(open: OpenSegment, file: DiskFile, length: number): Promise<void> {
    try {
      this.#assertLength(open, await file.append(zeros(length)));
      open.fileEnd += length;
    } catch (error) {
      this.#refuseSpace(error);
      await file.truncate(open.fileEnd);
    }
  }

  /** The batch is written, and space is optional: none on a full disk, or where the file may not get longer. */
  #refuseSpace(error: unknown): void {
    if (!KayaError.is(error, "KAYA_DISK_FULL") && !KayaError.is(error, "KAYA_IO")) throw error;
    this.#space.restart();
  }

  /** Cuts space that is not needed any more. The caller makes that durable. */
  async #cutSpace(open: OpenSegment): Promise<void> {
    if (open.fileEnd === open.end) return;
    await this.#fileOf(open).truncate(open.end);
    open.fileEnd = open.end;
  }

  /** There is space behind the log. */
  get hasSpaceAhead(): boolean {
    return this.#open !== undefined && this.#open.fileEnd > this.#open.end;
  }

  /**
   * Ends the open segment with its last record, durably: for a log that is closed.
   * @throws KayaError KAYA_IO: nothing is lost, and the next opening does it; KAYA_FSYNC_FAILED: final
   */
  async giveSpaceBack(): Promise<void> {
    if (this.#open === undefined || !this.hasSpaceAhead) return;
    await this.#cutSpace(this.#open);
    await this.sync();
  }

  async sync(): Promise<void> {
    const file = this.#open?.file;
    if (file === undefined) return;
    this.#lastSync = file.sync();
    await this.#watch.fsync(this.openId, finalSync(this.#lastSync));
    // After the fsync: a process that opens the directory later finds all acknowledged records in it.
    this.#disk.assertSame?.();
  }

  /**
   * W3: removes the bytes of a failed write, durably, so that no crash can bring a rejected record back behind a new one.
   */
  async undoWrite(): Promise<void> {
    const file = this.#open?.file;
    if (this.#open === undefined || file === undefined) return;
    await file.truncate(this.#open.end);
    this.#open.fileEnd = this.#open.end;
    await file.sync();
  }

  // Below: the same, for synchronous commits.

  /** Whether `syncSync` can be called while `sync` is under way. */
  get syncsBeside(): boolean {
    return this.#open?.file?.syncsBeside ?? true;
  }

  /** Whether a segment can be created without waiting. */
  get canRotateSync(): boolean {
    return isSynchronous(this.#disk) && this.#identity?.isFree !== false;
  }

  /** `write`. */
  writeSync(bytes: Bytes, offset: number, size: number, needsSync: boolean): void {
    const open = this.#openSegment();
    invariant(offset === open.end, "W7", `a batch planned for offset ${offset} is written at ${open.end}`);
    const file = this.#fileOf(open);
    const length =
      offset < open.fileEnd ? file.writeAtSync(offset, bytes, open.fileEnd) : file.appendSync(bytes);
    const space = this.#wrote(open, length, offset + size, needsSync);
    if (space > 0) this.#makeSpaceNow(open, file, space);
    open.end = offset + size;
  }

  /** `#makeSpace`. */
  #makeSpaceNow(open: OpenSegment, file: DiskFile, length: number): void {
    try {
      this.#assertLength(open, file.appendSync(zeros(length)));
      open.fileEnd += length;
    } catch (error) {
      this.#refuseSpace(error);
      file.truncateSync(open.fileEnd);
    }
  }

  /** `sync`. */
  syncSync(): void {
    const file = this.#open?.file;
    if (file === undefined) return;
    this.#watch.fsyncNow(this.openId, () => finalSyncNow(() => file.syncSync()));
    this.#disk.assertSame?.();
  }

  /** `undoWrite`. */
  undoWriteSync(): void {
    const file = this.#open?.file;
    if (this.#open === undefined || file === undefined) return;
    file.truncateSync(this.#open.end);
    this.#open.fileEnd = this.#open.end;
    file.syncSync();
  }

  /** `takeAwayHalfMade`. */
  takeAwayHalfMadeSync(): void {
    if (this.#halfMade === undefined) return;
    const disk = synchronous(this.#disk);
    disk.removeSync(this.#halfMade);
    try {
      finalDirSyncNow(disk, WAL_DIR);
    } catch (error) {
      ignoreAbsent(error);
    }
    this.#halfMade = undefined;
  }

  /** `rotate`. */
  rotateSync(lastLsn: Lsn): void {
    const started = performance.now();
    const disk = synchronous(this.#disk);
    const old = this.#open;
    if (old !== undefined) {
      if (old.fileEnd > old.end) this.#fileOf(old).truncateSync(old.end);
      old.fileEnd = old.end;
      this.#watch.fsyncNow(old.id, () => finalSyncNow(() => this.#fileOf(old).syncSync())); // W1
      finalDirSyncNow(disk, WAL_DIR);
    }
    if (this.#identity?.history === undefined) this.#identity?.makeSync(disk);
    const id = this.openId + 1;
    const file = this.#createNow(disk, segmentPath(id), old);
    this.#open = { id, path: segmentPath(id), file, end: 0, fileEnd: 0, durable: { end: 0, lastLsn } };
    this.#space.restart();
    if (old !== undefined) {
      this.#closed.add({ id: old.id, path: old.path, length: old.end, lastLsn });
      this.#letGo(this.#fileOf(old));
    }
    const closed = old && { segmentId: old.id, bytes: old.end, lastLsn };
    this.#watch.rotated(id, closed, performance.now() - started);
  }

  /** `#create`. */
  #createNow(disk: SynchronousDisk, path: string, before: OpenSegment | undefined): DiskFile {
    let file: DiskFile | undefined;
    try {
      file = disk.createSync(path, { syncsBeside: true, ...(before !== undefined && { like: before.path }) });
      finalDirSyncNow(disk, WAL_DIR); // W2
      if (!this.#rootSynced) finalDirSyncNow(disk, "");
      this.#rootSynced = true;
      if (before !== undefined && !this.#fileOf(before).hasNameSync()) throw isGone(before.path);
      return file;
    } catch (error) {
      if (file !== undefined) this.#letGo(file);
      if (file === undefined && KayaError.is(error, "KAYA_INVALID_ARGUMENT")) throw isTaken(path, error);
      if (!FINAL.some((code) => KayaError.is(error, code))) this.#takeBackNow(path, error);
      throw error;
    }
  }

  /** `#takeBack`. */
  #takeBackNow(path: string, failure: unknown): void {
    this.#halfMade = path;
    try {
      this.takeAwayHalfMadeSync();
    } catch (cause) {
      notTakenBack(failure, cause);
    }
  }

  /** It is durable, or given up: only `close` waits for it to be closed. */
  #letGo(file: DiskFile): void {
    const closing = this.#lastSync
      .catch(() => undefined) // reported by the sync that waits for it
      .then(() => file.close())
      .catch(() => undefined)
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Removes closed segments that end before `lsn` and need not be kept, lowest first; gives how many. */
  async dropBefore(lsn: Lsn, kept?: KeptLog): Promise<number> {
    let dropped = 0;
    for (const { path } of this.#closed.droppable(lsn, kept)) {
      await this.#disk.remove(path);
      this.#closed.removeOldest();
      dropped++;
    }
    if (dropped > 0) await finalDirSync(this.#disk.syncDir(WAL_DIR));
    return dropped;
  }

  /** Counts as kept what `dropBefore` would keep. */
  countKept(lsn: Lsn, kept?: KeptLog): void {
    this.#closed.countKept(lsn, kept);
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing);
    await this.#open?.file?.close();
  }

  #openSegment(): OpenSegment {
    invariant(this.#open !== undefined, "W1", "a batch is written before its segment was created");
    return this.#open;
  }

  #fileOf(segment: OpenSegment): DiskFile {
    invariant(
      segment.file !== undefined,
      "R2",
      `${segment.path} is written before its tail was made durable`,
    );
    return segment.file;
  }
}

/** After these the state is unknown, or the directory is not ours. */
const FINAL = ["KAYA_FSYNC_FAILED", "KAYA_DIRECTORY_REPLACED"] as const;

const ZEROS = new Uint8Array(1024 * 1024);

function zeros(length: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let left = length; left > 0; left -= ZEROS.length) parts.push(ZEROS.subarray(0, left));
  return parts;
}

function isSynchronous(disk: Disk): disk is SynchronousDisk {
  return disk.createSync !== undefined;
}

function synchronous(disk: Disk): SynchronousDisk {
  invariant(isSynchronous(disk), "W1", "a segment is created at once on a disk that cannot do that");
  return disk;
}

function ignoreAbsent(error: unknown): void {
  if (!KayaError.is(error, "KAYA_NOT_FOUND")) throw error;
}
