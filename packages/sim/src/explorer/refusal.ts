import { KayaError, type KayaErrorCode } from "@kaya/core";
import type { SimDisk } from "@kaya/io";

/**
 * Opens what must be refused: with this code, and without a change of the disk, not even one that is taken back.
 * @throws Error if anything else happens
 */
export async function mustRefuse(
  disk: SimDisk,
  open: (disk: SimDisk) => Promise<unknown>,
  code: KayaErrorCode,
  why: string,
): Promise<void> {
  const before = { digest: disk.stateDigest("everything"), next: disk.nextOperation };
  const error = await rejectionOf(open(disk));
  if (error === undefined) throw new Error(`${why}: opened, and must be refused with ${code}`);
  if (!KayaError.is(error, code)) throw new Error(`${why}: refused with ${error}, not with ${code}`);
  mustBeUnchanged(disk, before, why);
}

/** @throws Error where the disk is not what it was, or something was done on the way there */
function mustBeUnchanged(
  disk: SimDisk,
  before: { readonly digest: number; readonly next: number },
  why: string,
): void {
  if (disk.stateDigest("everything") === before.digest && disk.nextOperation === before.next) return;
  const done = disk.events.filter(({ index }) => index !== undefined && index >= before.next);
  throw new Error(
    `${why}: refused, and changed the disk: ${done.map(({ kind, path }) => `${kind} ${path}`)}`,
  );
}

/** What it rejects with; undefined where it resolves. */
export async function rejectionOf(done: Promise<unknown>): Promise<unknown> {
  try {
    await done;
    return undefined;
  } catch (error) {
    return error;
  }
}
