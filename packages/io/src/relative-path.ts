import { describe, KayaError } from "@kaya/core";

/**
 * The one spelling of a path below a disk's root: "/"-separated, without "." or empty segments. `""` is the root.
 *
 * The rules are those of every platform at once, so that a directory written on one opens on another, and no path
 * can name anything outside the root.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT for what is not a string, is absolute, begins with a drive, or holds
 *   "..", NUL or a backslash.
 */
export function relativePath(path: string): string {
  if (typeof path !== "string") throw invalid(path, "it is not a string");
  if (path.includes("\0")) throw invalid(path, "it holds NUL");
  if (path.includes("\\")) throw invalid(path, 'it holds a backslash; use "/"');
  if (path.startsWith("/")) throw invalid(path, "it is absolute");
  const segments = path.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (segments.includes("..")) throw invalid(path, 'it holds ".."');
  // The first segment after normalising: "./C:" would begin with the drive.
  if (/^[A-Za-z]:/.test(segments[0] ?? "")) throw invalid(path, "it begins with a drive");
  return segments.join("/");
}

/**
 * The one spelling of a path that names something below a disk's root: "/"-separated, without "." or empty
 * segments.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT for a path that is not a string, is the root or absolute, begins with
 *   a drive, or holds "..", NUL or a backslash
 */
export function relativeFilePath(path: string): string {
  const normalised = relativePath(path);
  if (normalised === "") throw invalid(path, "it names the root, not a file");
  return normalised;
}

/** The directory that holds `path` (normalised): `""` for the root's own entries. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

function invalid(path: unknown, why: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", `path ${describe(path)} is not allowed: ${why}`);
}
