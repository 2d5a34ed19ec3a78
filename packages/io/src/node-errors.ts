import { KayaError, type KayaErrorCode } from "@kaya/core";

const CODES: Record<string, KayaErrorCode> = {
  ENOENT: "KAYA_NOT_FOUND",
  ENOSPC: "KAYA_DISK_FULL",
  EDQUOT: "KAYA_DISK_FULL",
  EISDIR: "KAYA_INVALID_ARGUMENT",
  ENOTDIR: "KAYA_INVALID_ARGUMENT",
  ENAMETOOLONG: "KAYA_INVALID_ARGUMENT",
  ELOOP: "KAYA_INVALID_ARGUMENT",
  EEXIST: "KAYA_INVALID_ARGUMENT",
};

const ADVICE: Record<string, string> = {
  ENOSPC: "The disk is full: free some space, then write again.",
  EDQUOT: "The disk quota is used up: free some space or raise the quota, then write again.",
  EIO: "The device reported an error: look at the system log, and do not trust this disk.",
  EACCES: "This process may not do that here: check owner and permissions.",
  EPERM: "This process may not do that here: check owner, permissions and file attributes.",
  EROFS: "The file system is mounted read-only.",
  EMFILE: "The process has too many open files: raise the limit (ulimit -n).",
  ENFILE: "The system has too many open files.",
  ENOTDIR: "A part of the path is a file where a directory must be.",
  EISDIR: "It is a directory where a file must be.",
  ELOOP: "It is a symbolic link, and links are not followed here.",
  EEXIST: "It is there already.",
};

/** A failed system call as a KayaError: the operation, the file, and what to do. */
export function fromSystemError(cause: unknown, doing: string, path: string): KayaError {
  const errno = errnoOf(cause);
  return new KayaError(CODES[errno] ?? "KAYA_IO", explain(cause, errno, doing, path), { cause });
}

/** A failed fsync keeps its own code whatever the reason was: it is final in every case. */
export function fromSyncError(cause: unknown, path: string): KayaError {
  const message = explain(cause, errnoOf(cause), "fsync", path);
  return new KayaError("KAYA_FSYNC_FAILED", `${message} What was not synced before may be lost.`, { cause });
}

/** `"ENOSPC"` and the like; `""` for anything that is not a system error. */
export function errnoOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}

function explain(cause: unknown, errno: string, doing: string, path: string): string {
  const reason = errno !== "" ? errno : cause instanceof Error ? cause.message : String(cause);
  const advice = ADVICE[errno];
  return `${doing} ${path} failed: ${reason}.${advice === undefined ? "" : ` ${advice}`}`;
}
