import { KayaError } from "@kaya/core";

/** The system's code, such as `ENOSPC`; of what has none, its text. */
export function systemCodeOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}

/** The error of a call that failed to write a file: KAYA_DISK_FULL where there is no room, else `otherwise`. */
export function fileError(
  file: string,
  cause: unknown,
  otherwise: "KAYA_IO" | "KAYA_FSYNC_FAILED" = "KAYA_IO",
): KayaError {
  const code = systemCodeOf(cause);
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  const advice = isFull ? ". Free some space there, or give a file on another disk" : "";
  return new KayaError(isFull ? "KAYA_DISK_FULL" : otherwise, `cannot write ${file}: ${code}${advice}`, {
    cause,
  });
}

/** The error of a call that failed to read a file: KAYA_NOT_FOUND where there is none, else KAYA_IO. */
export function unreadableFile(file: string, cause: unknown): KayaError {
  const code = systemCodeOf(cause);
  return code === "ENOENT"
    ? new KayaError("KAYA_NOT_FOUND", `there is no file ${file}`, { cause })
    : new KayaError("KAYA_IO", `cannot read ${file}: ${code}`, { cause });
}
