import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { KayaError } from "@kaya/core";
import { invalid } from "./bytes.js";

const OURS = ["wal", "manifest", "sst", "LOCK"];

/**
 * Makes sure that a command which only looks does not make a data directory out of a misspelt path. An empty directory
 * is an empty store.
 * @throws KayaError KAYA_NOT_FOUND, KAYA_INVALID_ARGUMENT, KAYA_IO
 */
export async function requireDataDir(dir: string): Promise<void> {
  const names = await readdir(dir).catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(dir, cause);
  });
  if (names.length === 0 || names.some((name) => OURS.includes(name))) return;
  throw new KayaError(
    "KAYA_NOT_FOUND",
    `${dir} is not a data directory: ${join(dir, "wal")} is not there. Give its path with --data DIR.`,
  );
}

/**
 * Makes sure that a command which may create the directory is not given the path of a file.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export async function refuseFile(dir: string): Promise<void> {
  const found = await stat(dir).catch(() => undefined); // the opening tells any other reason
  if (found !== undefined && !found.isDirectory()) throw isFile(dir);
}

/** Why a data directory cannot be read, and what to do. */
export function unreadable(dir: string, cause: NodeJS.ErrnoException): KayaError {
  if (cause.code === "ENOENT") {
    const advice = "Give its path with --data DIR, or create it with `put`.";
    return new KayaError("KAYA_NOT_FOUND", `there is no data directory ${dir}. ${advice}`, { cause });
  }
  if (cause.code === "ENOTDIR") return isFile(dir);
  const denied = cause.code === "EACCES" || cause.code === "EPERM";
  const advice = denied ? ". Run kayactl as the user whose files these are" : "";
  return new KayaError(
    "KAYA_IO",
    `cannot read the directory ${dir}: ${cause.code ?? cause.message}${advice}`,
    {
      cause,
    },
  );
}

function isFile(dir: string): KayaError {
  return invalid(`${dir} is a file, and a data directory is needed`);
}
