import { KayaError } from "@kaya/core";
import type { Disk, DiskFile } from "@kaya/io";
import { listManifests, MANIFEST_DIR, manifestPath, temporaryManifestPath } from "./manifest-files.js";
import { applyEdit, type ManifestEdit, type ManifestState } from "./manifest-state.js";
import { approximateBytes, snapshotPayload } from "./payload.js";
import type { FoundManifest } from "./read-manifest.js";
import { encodeManifestRecord } from "./record.js";

export interface ManifestOptions {
  /** It begins anew once it has so many bytes, and four times those of a snapshot. */
  readonly beginAnewBytes: number;
}

interface OpenManifest {
  readonly file: DiskFile;
  readonly path: string;
  end: number;
}

/**
 * The manifest that is written. Edits go one after the other; each is durable before it counts and before the next.
 *
 * After a failed write or sync the file is uncertain: the edit may or may not be in it after a crash. Nothing is ever
 * appended to it again; the next edit goes into a new manifest, which has a higher number and states everything anew. Until that
 * is durable, the tables that the failed edit names must stay, those that it adds and those that it removes.
 */
export class Manifest {
  readonly #disk: Disk;
  readonly #options: ManifestOptions;
  #state: ManifestState;
  /** The highest number that a file may have. */
  #number: number;
  #lastRecord: number;
  /** Undefined before the first, and after a failure. */
  #open: OpenManifest | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #failure: KayaError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(disk: Disk, found: FoundManifest, options: ManifestOptions) {
    this.#disk = disk;
    this.#options = options;
    this.#state = found.state;
    this.#number = found.number;
    this.#lastRecord = found.lastRecord;
  }

  /**
   * Goes on from the state that was read. Unless the file can be trusted, a new one begins: bytes that read back may be those that a failed
   * sync never wrote, and nothing may depend on them before they are durable.
   * @param mayBeginLater on a full disk it goes on, uncertain: the next edit begins a new file
   * @param trusted everything that reads back is on the disk
   * @param nextTableId ids from here on are free
   * @throws KayaError KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO
   */
  static async resume(
    disk: Disk,
    found: FoundManifest,
    options: ManifestOptions & {
      readonly trusted: boolean;
      readonly nextTableId: number;
      readonly mayBeginLater?: boolean;
    },
  ): Promise<Manifest> {
    const manifest = new Manifest(disk, found, options);
    const isAsItWas = found.number > 0 && found.torn === undefined && found.directory.leftovers.length === 0;
    try {
      if (options.trusted && isAsItWas && found.directory.older.length === 0) await manifest.#goOn(found);
      else await manifest.#beginAnew(applyEdit(found.state, { nextTableId: options.nextTableId }));
    } catch (error) {
      if (options.mayBeginLater !== true || !KayaError.is(error, "KAYA_DISK_FULL")) throw error;
    }
    return manifest;
  }

  /** After the last edit that succeeded. */
  get state(): ManifestState {
    return this.#state;
  }

  /** A failed edit may be on the disk: its tables must stay until an edit succeeds, also after closing. */
  get isUncertain(): boolean {
    return this.#open === undefined;
  }

  /**
   * Makes an edit durable. If it rejects, the state is the old one; until the next edit succeeds it is uncertain whether a crash leaves this one.
   * @throws KayaError KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO; KAYA_WRITER_FAILED where another process writes;
   *   KAYA_INVARIANT_VIOLATION where the edit does not fit, with nothing written; KAYA_CLOSED
   */
  append(edit: ManifestEdit): Promise<void> {
    const result = this.#queue.then(() => this.#append(edit));
    this.#queue = result.catch(() => undefined); // the caller has the rejection
    return result;
  }

  /** Waits for edits under way, and closes the file. Keeps `isUncertain`. Can be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#queue;
    await this.#open?.file.close();
  }

  async #append(edit: ManifestEdit): Promise<void> {
    if (this.#closing !== undefined) throw new KayaError("KAYA_CLOSED", "the manifest is closed");
    if (this.#failure !== undefined) throw this.#failure;
    const state = applyEdit(this.#state, edit);
    const open = this.#open;
    if (open === undefined || this.#isGrown(open, state)) return this.#beginAnew(state);
    this.#open = undefined; // even if a later step fails
    try {
      await this.#write(open, state, edit);
    } catch (error) {
      await open.file.close().catch(() => undefined); // it is not used any more
      throw error;
    }
    this.#state = state;
    this.#lastRecord++;
    this.#open = open;
  }

  async #write(open: OpenManifest, state: ManifestState, edit: ManifestEdit): Promise<void> {
    const { removed = [], added = [] } = edit;
    const bytes = encodeManifestRecord({
      type: "EDIT",
      manifest: this.#number,
      number: this.#lastRecord + 1,
      payload: { ...state, removed, added },
    });
    const at = await open.file.append(bytes);
    if (at !== open.end) throw this.#fail(`${open.path} has ${at} bytes, and this process left ${open.end}`);
    await open.file.sync();
    open.end += bytes.length;
  }

  /** Only if the file is the last one, whole, and durable as it reads. */
  async #goOn({ number, validLength }: FoundManifest): Promise<void> {
    const path = manifestPath(number);
    this.#open = { file: await this.#disk.open(path), path, end: validLength };
  }

  /** Writes the whole state into a new file, which gets its name once it is whole and durable. */
  async #beginAnew(state: ManifestState): Promise<void> {
    const before = this.#open;
    this.#open = undefined; // the new one may be there although this fails
    await before?.file.close();
    await this.#checkAlone();
    const number = ++this.#number; // a number is tried once: a failed attempt may have left its name
    const record = { type: "SNAPSHOT", manifest: number, number: this.#lastRecord + 1 } as const;
    const bytes = encodeManifestRecord({ ...record, payload: snapshotPayload(state) });
    const [path, temporary] = [manifestPath(number), temporaryManifestPath(number)];
    await this.#writeTemporary(temporary, bytes);
    await this.#disk.rename(temporary, path);
    await this.#disk.syncDir(MANIFEST_DIR);
    await this.#disk.syncDir("");
    this.#open = { file: await this.#disk.open(path), path, end: bytes.length };
    this.#state = state;
    this.#lastRecord++;
    await this.#removeOlder(number);
  }

  async #writeTemporary(path: string, bytes: Uint8Array): Promise<void> {
    const file = await this.#disk.open(path, { create: true });
    try {
      await file.truncate(0);
      await file.append(bytes);
      await file.sync();
    } catch (error) {
      await this.#disk.remove(path).catch(() => undefined); // the next opening recognises its name and removes it
      throw error;
    } finally {
      await file.close();
    }
  }

  /** A file that this process did not make shows that another one writes. */
  async #checkAlone(): Promise<void> {
    const { newest, leftovers } = await listManifests(this.#disk);
    // One may be a link, or left by a failed attempt.
    for (const path of leftovers) await this.#disk.remove(path);
    if (newest === undefined || newest.number <= this.#number) return;
    throw this.#fail(`${newest.path} is there, and this process did not make it`);
  }

  /** A file that cannot be removed now is removed by the next new manifest or opening: a lower number never counts. */
  async #removeOlder(number: number): Promise<void> {
    const { older, leftovers } = await listManifests(this.#disk).catch(() => ({ older: [], leftovers: [] }));
    const superfluous = [
      ...older.filter((file) => file.number < number).map(({ path }) => path),
      ...leftovers,
    ];
    for (const path of superfluous) await this.#disk.remove(path).catch(() => undefined);
  }

  #isGrown({ end }: OpenManifest, state: ManifestState): boolean {
    return end >= Math.max(this.#options.beginAnewBytes, 4 * approximateBytes(state));
  }

  #fail(what: string): KayaError {
    this.#failure = new KayaError(
      "KAYA_WRITER_FAILED",
      `${what}: another process writes to this directory. Nothing more is written; open it again, alone.`,
    );
    return this.#failure;
  }
}
