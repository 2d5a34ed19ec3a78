import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { KayaError } from "@kaya/core";
import { type DirectoryIdentity, type FileIdentity, identityOf, isSame } from "./file-identity.js";
import { notADirectory } from "./file-kind.js";
import { errnoOf, fromSystemError } from "./node-errors.js";
import { parentOf } from "./relative-path.js";

interface Held {
  readonly identity: FileIdentity;
  /** Undefined on Windows: it has no directory handles to sync. */
  readonly fd: number | undefined;
}

const CAN_OPEN = process.platform !== "win32";
const OPEN_DIRECTORY = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0);

// A collected disk closes its descriptors. Node's own handles would print a warning.
const forgotten = new FinalizationRegistry<Map<string, Held>>(closeAll);

/**
 * The directories of a `NodeDisk` that are held open: the root, and those below it that something was created in. They tell whether
 * the root's path still names the directory that was opened, and lead to it whatever the path names (Linux).
 *
 * All of it is synchronous: the answer still holds when the caller makes its system call, except for the call's wait in the thread pool. On
 * Linux the call goes through the held directory, so it cannot reach another one even then.
 */
export class HeldDirectories {
  readonly #root: string;
  /** By path relative to the root; `""` is the root. */
  readonly #held = new Map<string, Held>();
  /** Lock files that are held, by their paths. */
  readonly #locks = new Map<string, FileIdentity>();
  #leadsThroughHandles = false;
  #replaced: KayaError | undefined;

  /** Directories held by another disk over the same path: this disk must find the same ones. */
  readonly #known: ReadonlyMap<string, FileIdentity>;

  /** @param known directories held by another disk: they must be the same */
  constructor(root: string, known: readonly DirectoryIdentity[] = []) {
    this.#root = root;
    this.#known = new Map(known.map((each) => [each.path, each]));
    forgotten.register(this, this.#held);
  }

  /** Holds the root, which must be there. @throws KayaError KAYA_NOT_FOUND, KAYA_INVALID_ARGUMENT, KAYA_IO, KAYA_DIRECTORY_REPLACED */
  holdRoot(): void {
    if (this.#held.has("")) return;
    const known = this.#known.get("");
    if (known !== undefined && !isSame(known, look(this.#root, statSync)))
      throw this.#fail(this.#root, "directory");
    const held = this.#open(this.#root, this.#root, OPEN_DIRECTORY);
    this.#held.set("", held);
    this.#mustBeKnown("", held);
    this.#leadsThroughHandles = leadsToItself(held);
  }

  /** The held directories. */
  identities(): DirectoryIdentity[] {
    return [...this.#held].map(([path, { identity }]) => ({ path, ...identity }));
  }

  holds(dir: string): boolean {
    return this.#held.has(dir);
  }

  /**
   * Holds a directory below the root, which must be there, and gives its descriptor; undefined on Windows.
   * @throws KayaError as `reach`, and KAYA_NOT_FOUND, KAYA_IO
   */
  hold(dir: string): number | undefined {
    this.holdRoot();
    const way = this.reachDirectory(dir);
    let held = this.#held.get(dir);
    if (held === undefined) {
      held = this.#open(way, join(this.#root, dir), OPEN_DIRECTORY | (constants.O_NOFOLLOW ?? 0));
      this.#held.set(dir, held);
      this.#mustBeKnown(dir, held);
    }
    return held.fd;
  }

  /** From now on the file at `path` must be the one that is locked. */
  watchLock(path: string, identity: FileIdentity): void {
    this.#locks.set(path, identity);
  }

  /** @returns whether no lock is left */
  unwatchLock(path: string): boolean {
    this.#locks.delete(path);
    return this.#locks.size === 0;
  }

  /**
   * The path of a file for a system call, after a check that all directories above it are unchanged.
   * @throws KayaError KAYA_DIRECTORY_REPLACED: from then on always, until `close`; KAYA_INVALID_ARGUMENT if it leads through a link
   */
  reach(path: string): string {
    this.assertSame();
    const above = parentOf(path);
    const { base, reached } = this.#walk(above);
    return join(base, path.slice(reached));
  }

  /** The same for a directory, which must not be a link itself. */
  reachDirectory(dir: string): string {
    this.assertSame();
    const { base, reached } = this.#walk(dir);
    return join(base, dir.slice(reached));
  }

  /** Closes and forgets all of them. */
  close(): void {
    closeAll(this.#held);
    this.#replaced = undefined;
  }

  /** Checks each directory on the way; gives the last held one, and the length of the path up to it. */
  #walk(dir: string): { readonly base: string; readonly reached: number } {
    let base = this.#wayOf("") ?? this.#root;
    let reached = 0;
    if (dir === "") return { base, reached };
    for (let end = dir.indexOf("/"); ; end = dir.indexOf("/", end + 1)) {
      const name = end < 0 ? dir : dir.slice(0, end);
      if (!this.#isThere(name)) break;
      const way = this.#wayOf(name);
      if (way !== undefined) [base, reached] = [way, name.length + 1];
      if (end < 0) break;
    }
    return { base, reached };
  }

  #wayOf(dir: string): string | undefined {
    const fd = this.#leadsThroughHandles ? this.#held.get(dir)?.fd : undefined;
    return fd === undefined ? undefined : `/proc/self/fd/${fd}`;
  }

  /** The root and the locks in it. @throws KayaError KAYA_DIRECTORY_REPLACED */
  assertSame(): void {
    if (this.#replaced !== undefined) throw this.#replaced;
    if (this.#known.has("")) this.holdRoot();
    const root = this.#held.get("");
    if (root === undefined) return;
    if (!isSame(root.identity, look(this.#root, statSync))) throw this.#fail(this.#root, "directory");
    for (const [path, identity] of this.#locks) {
      const name = join(this.#root, path);
      if (!isSame(identity, look(name, lstatSync))) throw this.#fail(name, "lock file");
    }
  }

  /** Whether a directory below the root exists. It must be a real one, and the held one. */
  #isThere(dir: string): boolean {
    const identity = this.#known.get(dir) ?? this.#held.get(dir)?.identity;
    const name = join(this.#root, dir);
    const found = look(name, lstatSync);
    if (identity !== undefined && !isSame(identity, found)) throw this.#fail(name, "directory");
    if (found?.isSymbolicLink()) throw notADirectory(name);
    return found !== undefined;
  }

  /** It may have been replaced between the check and the opening. */
  #mustBeKnown(dir: string, { identity }: Held): void {
    const known = this.#known.get(dir);
    if (known !== undefined && !isSame(known, identity)) throw this.#fail(join(this.#root, dir), "directory");
  }

  #fail(name: string, what: string): KayaError {
    this.#replaced = new KayaError(
      "KAYA_DIRECTORY_REPLACED",
      `${name} is not the ${what} any more that was opened: it was moved, removed or replaced meanwhile. Nothing is changed there from now on. ` +
        "What was acknowledged is in the directory that was opened, wherever that is now. Close this, make sure that the path names the " +
        "directory that you want, and open it again. Stop every process that uses a directory before you move it.",
    );
    return this.#replaced;
  }

  #open(way: string, name: string, flags: number): Held {
    try {
      if (!CAN_OPEN) return { identity: identityOf(statSync(way, { bigint: true })), fd: undefined };
      const fd = openSync(way, flags);
      try {
        return { identity: identityOf(fstatSync(fd, { bigint: true })), fd };
      } catch (cause) {
        closeSync(fd);
        throw cause;
      }
    } catch (cause) {
      throw fromSystemError(cause, "open the directory", name);
    }
  }
}

/** The file or directory at a name now; undefined if none. */
function look(
  name: string,
  stat: (name: string, options: { bigint: true; throwIfNoEntry: false }) => BigIntStats | undefined,
): BigIntStats | undefined {
  try {
    return stat(name, { bigint: true, throwIfNoEntry: false });
  } catch (cause) {
    if (["ENOTDIR", "ELOOP"].includes(errnoOf(cause))) return undefined;
    throw fromSystemError(cause, "look at", name);
  }
}

/** Whether /proc leads to the directories of this process: it may be absent or forbidden. */
function leadsToItself({ fd, identity }: Held): boolean {
  if (process.platform !== "linux" || fd === undefined) return false;
  try {
    return isSame(identity, statSync(`/proc/self/fd/${fd}/.`, { bigint: true }));
  } catch {
    return false; // then paths are used
  }
}

function closeAll(held: Map<string, Held>): void {
  for (const { fd } of held.values()) if (fd !== undefined) closeSync(fd);
  held.clear();
}
