import { lstat, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * The directories of the real file system that are absent, before something is written there: a writing that fails takes away again those that it
 * made.
 */
export class MadeDirectories {
  /** Outermost first. */
  readonly #above: readonly string[];
  /** Below the root. */
  readonly #below: readonly string[];

  private constructor(above: readonly string[], below: readonly string[]) {
    this.#above = above;
    this.#below = below;
  }

  /** @param names directories in `root` that may be made */
  static async lookAt(root: string, names: readonly string[]): Promise<MadeDirectories> {
    const above: string[] = [];
    for (let dir = root; dirname(dir) !== dir && !(await isThere(dir)); dir = dirname(dir))
      above.unshift(dir);
    const below: string[] = [];
    for (const name of names) if (!(await isThere(join(root, name)))) below.push(join(root, name));
    return new MadeDirectories(above, below);
  }

  /** The root was absent. */
  get isRootNew(): boolean {
    return this.#above.length > 0;
  }

  /** Removes those in the root, while the root is locked: nobody else makes any there. */
  async removeBelow(): Promise<void> {
    for (const dir of this.#below) await removeEmpty(dir);
  }

  /** Removes the root and those above it, once the lock's file is gone. */
  async removeRoot(): Promise<void> {
    for (const dir of this.#above.toReversed()) await removeEmpty(dir);
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

/** One that somebody has put something into stays. */
async function removeEmpty(dir: string): Promise<void> {
  await rmdir(dir).catch((cause: NodeJS.ErrnoException) => {
    if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(cause.code ?? "")) throw cause;
  });
}
