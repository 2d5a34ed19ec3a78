import { dirname, join } from "node:path";
import { KayaError } from "@kaya/core";
import { type CLibrary, isCovered, lockByFcntl, openInBun, openInDeno } from "./ffi-lock.js";

/** Takes an exclusive lock on a range of a file; false where another handle has it. */
export type TryLock = (fd: number, offset: number, length: number) => boolean;

interface Binding {
  tryLock(fd: number, offset: number, length: number, exclusive: boolean): void;
}

const PACKAGE = "fs-native-extensions";

const WITHOUT_LOCK =
  "Without a lock, two processes can write at once and destroy the log. If you make sure that only one process opens the directory, set " +
  "`disableLocking: true`.";

/** Where this code stands. `import.meta` is empty in CommonJS (in jest, and in a bundle of that format), and webpack makes the other one of it. */
const HERE = import.meta.filename ?? __filename;

interface Runtime {
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  readonly arch: string;
}

/**
 * The kernel lock of this platform. Node and Electron take it with fs-native-extensions. That module kills Bun (when the lock is held) and
 * Deno (when it is loaded), because it needs functions of libuv that they do not have. So both call `fcntl` instead.
 * @param name of the file to be locked, for the error
 * @param runtime the tests give others
 * @throws KayaError KAYA_IO, with the true reason
 */
export function loadTryLock(name: string, runtime: Runtime = process): TryLock {
  const { bun, deno } = runtime.versions;
  if (bun !== undefined) return tryLockByCalls(name, "Bun", runtime, () => openInBun(requireHere()));
  if (deno !== undefined) return tryLockByCalls(name, "Deno", runtime, openInDeno);
  return loadModuleLock(name);
}

let library: CLibrary | undefined;

function tryLockByCalls(
  name: string,
  who: string,
  { platform, arch }: Runtime,
  open: () => CLibrary,
): TryLock {
  const here = `${platform}-${arch}`;
  if (!isCovered(here)) {
    throw cannotLock(
      name,
      `in ${who} on ${here}: use Node.js there. In ${who} the lock works on Linux x64 and arm64`,
    );
  }
  try {
    library ??= open();
  } catch (cause) {
    const advice = who === "Deno" ? ". Add --allow-ffi to the command" : "";
    throw cannotLock(
      name,
      `in ${who}: fcntl of the C library does not load (${firstLineOf(cause)})${advice}`,
      cause,
    );
  }
  const opened = library;
  return (fd, offset, length) => lockByFcntl(opened, fd, offset, length);
}

/** Bundlers do not see this `require` (webpack knows an imported `createRequire`). They cannot put a native module into a file of JavaScript. */
function requireHere(): NodeJS.Require {
  return process.getBuiltinModule("node:module").createRequire(HERE);
}

/** The lock of fs-native-extensions: its package, or in a bundle its `prebuilds/` beside the bundle. */
function loadModuleLock(name: string): TryLock {
  const load = requireHere();
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
  const advice = `Install ${PACKAGE} where that file can require it; for a bundle alone, copy its prebuilds/ beside the bundle`;
  return cannotLock(
    name,
    `on ${process.platform}-${process.arch}: ${what} (${firstLineOf(cause)}). ${advice}`,
    cause,
  );
}

function cannotLock(name: string, why: string, cause?: unknown): KayaError {
  return new KayaError("KAYA_IO", `cannot lock ${name} ${why}. ${WITHOUT_LOCK}`, { cause });
}

function firstLineOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n", 1)[0] as string;
}
