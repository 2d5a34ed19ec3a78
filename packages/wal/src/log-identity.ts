import { randomBytes } from "node:crypto";
import { describe, KayaError, type Lsn } from "@kaya/core";
import { assertDisk, type Disk } from "@kaya/io";
import { isLogId, LogHistory, type LogOrigin } from "./log-history.js";
import {
  makeNameDurable,
  makeNameDurableSync,
  readSealedFile,
  type SynchronousDisk,
  writeSealedFile,
  writeSealedFileSync,
} from "./sealed-file.js";
import { LOG_ID_PATH, WAL_DIR } from "./segments.js";
import type { WalWarning } from "./warnings.js";

/** Gives an id that no log ever had: 16 lower-case hex digits. */
export type NewLogId = () => string;

/**
 * The file with the log's id. It exists once somebody asked for the id, or a writer was told to identify its log. Before recovery cuts the
 * log it writes another id, so that no crash leaves a cut log under its old id.
 */
export class LogIdentity {
  readonly #disk: Disk;
  readonly #newId: NewLogId;
  #base: LogOrigin | undefined;
  #making: Promise<LogHistory> | undefined;
  #history: LogHistory | undefined;
  #isWritten: boolean;
  /** A killed process may have left it in the page cache only. */
  #isDurable = false;

  private constructor(disk: Disk, newId: NewLogId, isWritten: boolean, history: LogHistory | undefined) {
    this.#disk = disk;
    this.#newId = newId;
    this.#isWritten = isWritten;
    this.#history = history;
  }

  /**
   * Reads the file, if any. A damaged one is never believed: it counts as none, and `warnings` report it.
   * @throws KayaError KAYA_IO
   */
  static async read(
    disk: Disk,
    exists: boolean,
    newId: NewLogId = randomLogId,
  ): Promise<{ readonly identity: LogIdentity; readonly warnings: readonly WalWarning[] }> {
    const none = new LogIdentity(disk, newId, exists, undefined);
    if (!exists) return { identity: none, warnings: [] };
    try {
      const history = LogHistory.parse((await readSealedFile(disk, LOG_ID_PATH)) ?? "");
      if (history !== undefined)
        return { identity: new LogIdentity(disk, newId, true, history), warnings: [] };
    } catch (error) {
      if (!KayaError.is(error, "KAYA_CORRUPTION")) throw error;
    }
    return { identity: none, warnings: [{ kind: "DamagedLogId", path: LOG_ID_PATH }] };
  }

  /**
   * Tells which tables the log goes on from. A log without segments whose history does not include them begins anew and gets another id.
   */
  goOnFrom(base: LogOrigin, hasSegments: boolean): void {
    this.#base = base;
    if (!hasSegments && this.#history?.includes(base) === false) this.#history = undefined;
  }

  /** Whether a crash cannot lose the history. */
  get isDurable(): boolean {
    return this.#isDurable;
  }

  /** The directory and its parent were synced, so the file's name is durable. Its bytes were synced before it got the name. */
  namesWereSynced(): void {
    this.#isDurable = this.#history !== undefined;
  }

  /** The log's id and earlier ids; undefined if nobody asked for it yet. */
  get history(): LogHistory | undefined {
    return this.#history;
  }

  /** The same, created if absent; durable. Rejects with KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED. */
  make(): Promise<LogHistory> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  /** Gives the log an id: what it has up to `lsn` stays known under the earlier ones. Durable. Rejects as `make`. */
  async rename(lsn: Lsn, id: string): Promise<LogHistory> {
    await this.#making;
    return this.#write(this.#history?.cutBehind(lsn, id) ?? new LogHistory(id, this.#base));
  }

  /** Whether `makeSync` has nothing to wait for. */
  get isFree(): boolean {
    return this.#making === undefined;
  }

  /** `make`, synchronously. */
  makeSync(disk: SynchronousDisk): void {
    if (this.#history === undefined) {
      const history = this.#newHistory();
      writeSealedFileSync(disk, LOG_ID_PATH, history.toText());
      this.#wrote(history);
      return;
    }
    if (!this.#isDurable) makeNameDurableSync(disk, LOG_ID_PATH);
    this.#isDurable = true;
  }

  async #make(): Promise<LogHistory> {
    if (this.#history === undefined) return this.#write(this.#newHistory());
    if (!this.#isDurable) await makeNameDurable(this.#disk, LOG_ID_PATH);
    this.#isDurable = true;
    return this.#history;
  }

  /**
   * Called before the log is cut behind `lsn`. If the disk is full, the file is removed, and with it the log's history.
   */
  async cutBehind(lsn: Lsn): Promise<readonly WalWarning[]> {
    if (!this.#isWritten) return [];
    try {
      if (this.#history === undefined) await this.#remove();
      else await this.#write(this.#history.cutBehind(lsn, this.#nextId()));
      return [];
    } catch (error) {
      if (!KayaError.is(error, "KAYA_DISK_FULL")) throw error;
      await this.#remove();
      return [{ kind: "LogIdRemoved", path: LOG_ID_PATH }];
    }
  }

  async #write(history: LogHistory): Promise<LogHistory> {
    await writeSealedFile(this.#disk, LOG_ID_PATH, history.toText());
    this.#wrote(history);
    return history;
  }

  #wrote(history: LogHistory): void {
    this.#isWritten = true;
    this.#isDurable = true;
    this.#history = history;
  }

  async #remove(): Promise<void> {
    await this.#disk.remove(LOG_ID_PATH);
    await this.#disk.syncDir(WAL_DIR);
    this.#isWritten = false;
    this.#history = undefined;
  }

  #newHistory(): LogHistory {
    return new LogHistory(this.#nextId(), this.#base);
  }

  #nextId(): string {
    return checkedLogId(this.#newId);
  }
}

/**
 * Calls `newId`, and checks the id.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT if it is not 16 lower-case hex digits
 */
export function checkedLogId(newId: NewLogId): string {
  const id = newId();
  if (isLogId(id)) return id;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `newLogId must give 16 lower-case hex digits, not ${describe(id)}`,
  );
}

/**
 * Which log it is, as the file says now, without the lock; undefined where nobody asked for it yet, or the file is damaged.
 * @throws KayaError KAYA_INVALID_ARGUMENT where `disk` is none; KAYA_IO
 */
export async function readLogHistory(disk: Disk): Promise<LogHistory | undefined> {
  assertDisk(disk);
  const { identity } = await LogIdentity.read(disk, true);
  return identity.history;
}

/** An id that no log ever had: 64 random bits. */
export function randomLogId(): string {
  return randomBytes(8).toString("hex");
}
