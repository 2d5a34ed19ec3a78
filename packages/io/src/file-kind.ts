import type { Stats } from "node:fs";
import { KayaError } from "@kaya/core";
import type { SpecialEntry } from "./disk.js";

type Kind = Pick<Stats, "isSymbolicLink" | "isFIFO" | "isSocket">;

/** The name of a kind that is neither a regular file nor a directory. */
export function specialOf(info: Kind): SpecialEntry {
  if (info.isSymbolicLink()) return "a symbolic link";
  if (info.isFIFO()) return "a FIFO";
  return info.isSocket() ? "a socket" : "a device";
}

/** The error for something that is no regular file. Nothing is read from it and nothing written. */
export function notAFile(name: string, found: SpecialEntry): KayaError {
  return new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${name} is ${found} where a regular file must be. It was not opened. Move it away if it does not belong here.`,
  );
}

/** The error for a link instead of a directory: the files below it belong to somebody else. */
export function notADirectory(name: string): KayaError {
  return new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${name} is a symbolic link where a directory must be. Only the data directory itself may be a link: move the directory to its place, or mount it there.`,
  );
}
