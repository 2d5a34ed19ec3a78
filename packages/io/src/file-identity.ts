import type { BigIntStats } from "node:fs";

/** Identity of a file or directory, whatever its name: unique while a handle on it is open. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/**
 * A directory of a disk: its path, and which directory that is. Plain data, so that another thread can have it.
 */
export interface DirectoryIdentity extends FileIdentity {
  /** The path of the directory, relative to the disk's root. */
  readonly path: string;
}

export function identityOf({ dev, ino }: BigIntStats): FileIdentity {
  return { dev, ino };
}

export function isSame(a: FileIdentity, b: FileIdentity | undefined): boolean {
  return b !== undefined && a.ino === b.ino && a.dev === b.dev;
}
