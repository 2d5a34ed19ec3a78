import { dirname, join } from "node:path";
import { KayaError } from "@kaya/core";

/** Takes an exclusive lock on a range of a file; false where another handle has it. */
export type TryLock = (fd: number, offset: number, length: number) => boolean;

interface Binding {
  tryLock(fd: number, offset: number, length: number, exclusive: boolean): void;
}

const PACKAGE = "fs-native-extensions";

/** Where this code stands. `import.meta` is empty in CommonJS (in jest, and in a bundle of that format), and webpack makes the other one of it. */
const HERE = import.meta.filename ?? __filename;

/**
 * The lock of fs-native-extensions: its package, or in a bundle its `prebuilds/` beside the bundle. Bundlers do not see this `require` (webpack knows
 * an imported `createRequire`), so they need no setting for a native module, which they could not put into a file of JavaScript anyway.
 * @param name of the file to be locked, for the error
 * @throws KayaError KAYA_IO, with the true reason
 */
export function loadTryLock(name: string): TryLock {
  const load = process.getBuiltinModule("node:module").createRequire(HERE);
  let failure: unknown;
  try {
    return (load(PACKAGE) as { tryLock: TryLock }).tryLock;
  } catch (cause) {
    failure = cause;
  }
  if (!isAbsent(failure, PACKAGE)) throw notLoaded(name, `${PACKAGE} does not load`, failure);
  const binary = join(dirname(HERE), "prebuilds", `${process.platform}-${process.arch}`, `${PACKAGE}.node`);
  try {
    return lockOf(load(binary) as Binding);
  } catch (cause) {
    if (!isAbsent(cause, binary)) throw notLoaded(name, `${binary} does not load`, cause);
    throw notLoaded(name, `${HERE} finds no ${PACKAGE}, and nothing at ${binary}`, failure);
  }
}

function lockOf(binding: Binding): TryLock {
  return (fd, offset, length) => {
    try {
      binding.tryLock(fd, offset, length, true);
      return true;
    } catch (cause) {
      if ((cause as { code?: unknown }).code === "EAGAIN") return false;
      throw cause;
    }
  };
}

/** The module itself is not there; one that it needs may be absent too, and that is another reason. */
function isAbsent(cause: unknown, what: string): boolean {
  const { code, message } = cause as { code?: unknown; message?: unknown };
  return code === "MODULE_NOT_FOUND" && String(message).includes(`'${what}'`);
}

function notLoaded(name: string, what: string, cause: unknown): KayaError {
  return new KayaError(
    "KAYA_IO",
    `cannot lock ${name} on ${process.platform}-${process.arch}: ${what} (${firstLineOf(cause)}). ` +
      `Install ${PACKAGE} where that file can require it; for a bundle alone, copy its prebuilds/ beside the bundle. ` +
      "Nothing else would keep a second process out, and two writers destroy the log: only where you make sure that one process opens the " +
      "directory, go on without a lock, with `disableLocking: true`.",
    { cause },
  );
}

function firstLineOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n", 1)[0] as string;
}
