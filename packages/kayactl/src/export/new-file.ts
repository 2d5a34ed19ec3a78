import { randomBytes } from "node:crypto";
import { type FileHandle, link, lstat, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { KayaError } from "@kaya/core";
import { invalid } from "../bytes.js";
import { fileError, systemCodeOf } from "../file-error.js";
import { isOfDataDirectory } from "../inspect/data-file.js";

const CHUNK_CHARACTERS = 256 * 1024;

/** What a file system says that has no hard links. */
const NO_LINKS = ["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EACCES", "EMLINK"];

/**
 * A file that is written beside its place, and gets its name once all of it is on stable storage: nobody sees half of one, and what has the
 * name stays until then.
 */
export class NewFile {
  readonly #file: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  readonly #isForced: boolean;
  #pending: string[] = [];
  #pendingCharacters = 0;
  #bytes = 0;

  private constructor(file: string, temporary: string, handle: FileHandle, isForced: boolean) {
    this.#file = file;
    this.#temporary = temporary;
    this.#handle = handle;
    this.#isForced = isForced;
  }

  /**
   * @param option the name of the option that gave the file, for messages
   * @param isForced takes the place of a file that is there
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_DISK_FULL, KAYA_IO
   */
  static async create(file: string, option: string, isForced: boolean): Promise<NewFile> {
    await checkPlace(file, option, isForced);
    const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString("hex")}.tmp`);
    const handle = await open(temporary, "wx").catch((cause: unknown) => {
      throw fileError(file, cause);
    });
    const created = new NewFile(file, temporary, handle, isForced);
    if (isForced) await created.#takeMode();
    return created;
  }

  /** That were given so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Gives a promise only where something is on its way. @throws KayaError KAYA_DISK_FULL, KAYA_IO */
  write(text: string): Promise<void> | undefined {
    this.#pending.push(text);
    this.#pendingCharacters += text.length;
    return this.#pendingCharacters >= CHUNK_CHARACTERS ? this.#flush() : undefined;
  }

  /**
   * Makes it durable and gives it its name.
   * @throws KayaError KAYA_INVALID_ARGUMENT where another file got the name meanwhile; KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO
   */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#handle.sync().catch((cause: unknown) => {
      throw fileError(this.#file, cause, "KAYA_FSYNC_FAILED");
    });
    await this.#handle.close();
    if (this.#isForced) await rename(this.#temporary, this.#file).catch((cause) => this.#failed(cause));
    else await this.#linkNew();
    await syncDirectory(dirname(this.#file));
  }

  /** Removes what was written. Doing it again, and after `finish`, is fine. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined); // it is closed already
    await rm(this.#temporary, { force: true });
  }

  /** A file that only its owner may read stays so when it is replaced. */
  async #takeMode(): Promise<void> {
    const replaced = await stat(this.#file).catch(() => undefined); // nothing is there
    if (replaced === undefined) return;
    await this.#handle.chmod(replaced.mode & 0o777).catch(async (cause) => {
      await this.discard();
      this.#failed(cause);
    });
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#pending.join(""), "utf8");
    this.#pending = [];
    this.#pendingCharacters = 0;
    this.#bytes += bytes.length;
    await this.#handle.writeFile(bytes).catch((cause) => this.#failed(cause));
  }

  /** A link never takes the place of a file, as a rename does. */
  async #linkNew(): Promise<void> {
    try {
      await link(this.#temporary, this.#file);
      await rm(this.#temporary);
    } catch (cause) {
      if (!NO_LINKS.includes(systemCodeOf(cause))) this.#failed(cause);
      await rename(this.#temporary, this.#file).catch((error) => this.#failed(error));
    }
  }

  #failed(cause: unknown): never {
    throw systemCodeOf(cause) === "EEXIST" ? isThere(this.#file) : fileError(this.#file, cause);
  }
}

async function checkPlace(file: string, option: string, isForced: boolean): Promise<void> {
  const named = await lstat(file).catch(() => undefined);
  const above = await realpath(dirname(file)).catch((cause: unknown) => {
    throw fileError(file, cause);
  });
  const places = [join(above, basename(file)), await realpath(file).catch(() => file)];
  for (const place of places)
    if (await isOfDataDirectory(place))
      throw invalid(
        `${option} would write into a data directory: ${place} has the name of one of its files. Give a file elsewhere.`,
      );
  if (named === undefined) return;
  if (!named.isFile() && !named.isSymbolicLink())
    throw invalid(`${file} is no file that an export could take the place of: give another name`);
  if (!isForced) throw isThere(file);
}

function isThere(file: string): KayaError {
  return invalid(`${file} is there: give another name, or --force to replace it`);
}

/** Where the system has no handles of directories, it decides itself when a name is durable. */
async function syncDirectory(dir: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } catch (cause) {
    throw fileError(dir, cause, "KAYA_FSYNC_FAILED");
  } finally {
    await handle.close();
  }
}
