import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { KayaError } from "@kaya/core";
import { type DirectoryIdentity, type FileIdentity, identityOf, isSame } from "./file-identity.js";
import { notADirectory } from "./file-kind.js";
import { errnoOf, fromSystemError } from "./node-errors.js";
import { parentOf } from "./relative-path.js";

interface Held {
  readonly identity: FileIdentity;
  /** Undefined on Windows, which has no handles of directories that could be synced. */
  readonly fd: number | undefined;
}

const CAN_OPEN = process.platform !== "win32";
const OPEN_DIRECTORY = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0);

// A disk that was forgotten gives its descriptors back. Handles of Node's own would warn of it.
const forgotten = new FinalizationRegistry<Map<string, Held>>(closeAll);

/**
 * The directories of a `NodeDisk` that are held open: the root, and those below it that something was created in. They tell whether
 * the root's path still names the directory that was opened, and lead to it whatever the path names (Linux).
 *
 * All of it is synchronous: what is asked here holds when the caller's own system call is made, but for that call's way through the
 * thread pool. On Linux that call goes through the held directory, so that even then it cannot reach another one.
 */
export class HeldDirectories {
  readonly #root: string;
  /** By path relative to the root; `""` is the root. */
  readonly #held = new Map<string, Held>();
  /** Lock files that are held, by their paths. */
  readonly #locks = new Map<string, FileIdentity>();
  #leadsThroughHandles = false;
  #replaced: KayaError | undefined;

  /** What another disk over the same path holds: those below the root that this one does not hold yet must be the same. */
  readonly #known: ReadonlyMap<string, FileIdentity>;

  /** @param known directories that must be the ones that another disk holds */
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

  /** Which directories are held. */
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
   * What to call the file at `path` in a system call, once it is sure that everything above it is what it was.
   * @throws KayaError KAYA_DIRECTORY_REPLACED: from then on always, until `close`; KAYA_INVALID_ARGUMENT where it leads through a link
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

  /** Lets go of all of them, and forgets what they were. */
  close(): void {
    closeAll(this.#held);
    this.#replaced = undefined;
  }

  /** Looks at each directory on the way, and gives the last one that is held with the length of the path up to it. */
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

  /** Whether a directory below the root is there, which must be a real one, and the one that is held. */
  #isThere(dir: string): boolean {
    const identity = this.#known.get(dir) ?? this.#held.get(dir)?.identity;
    const name = join(this.#root, dir);
    const found = look(name, lstatSync);
    if (identity !== undefined && !isSame(identity, found)) throw this.#fail(name, "directory");
    if (found?.isSymbolicLink()) throw notADirectory(name);
    return found !== undefined;
  }

  /** It may have been replaced between looking at it and opening it. */
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

/** What has a name now; undefined where nothing has. */
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

/** Whether /proc leads to the directories of this process: it may not be mounted, or not be permitted. */
function leadsToItself({ fd, identity }: Held): boolean {
  if (process.platform !== "linux" || fd === undefined) return false;
  try {
    return isSame(identity, statSync(`/proc/self/fd/${fd}/.`, { bigint: true }));
  } catch {
    return false; // names then lead there
  }
}

function closeAll(held: Map<string, Held>): void {
  for (const { fd } of held.values()) if (fd !== undefined) closeSync(fd);
  held.clear();
}
