/** `fcntl` of the C library with a pointer as its third argument. */
export type Fcntl = (fd: number, command: number, lock: Uint8Array) => number;

export interface CLibrary {
  readonly fcntl: Fcntl;
  /** `errno` after the last call. The runtime's own system calls may have changed it: for messages only. */
  errno(): number;
}

/** Both C libraries of Linux answer to this name: glibc has the file, and musl takes it for itself. */
const C_LIBRARY = "libc.so.6";

// Linux on x64 and arm64: `fcntl` takes its variable argument as a fixed one there, and both have this `struct flock`.
const COVERED = ["linux-x64", "linux-arm64"];
const FLOCK = { bytes: 32, type: 0, whence: 2, start: 8, length: 16 };
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_WRLCK = 1;
const F_UNLCK = 2;
const SEEK_SET = 0;

/** How often a lock may be released between the attempt and the question who has it. */
const MOST_TRIES = 5;

/** Whether the lock of this file is the one that fs-native-extensions takes on that platform. */
export function isCovered(platform: string): boolean {
  return COVERED.includes(platform);
}

/**
 * Takes the lock that fs-native-extensions takes on Linux: an exclusive one of the open file description. So it excludes Node processes,
 * and closing the descriptor releases it.
 * @returns false where another descriptor has it
 * @throws Error if the system refuses
 */
export function lockByFcntl(library: CLibrary, fd: number, offset: number, length: number): boolean {
  const range = (): DataView => {
    const lock = new DataView(new ArrayBuffer(FLOCK.bytes));
    lock.setInt16(FLOCK.type, F_WRLCK, true);
    lock.setInt16(FLOCK.whence, SEEK_SET, true);
    lock.setBigInt64(FLOCK.start, BigInt(offset), true);
    lock.setBigInt64(FLOCK.length, BigInt(length), true);
    return lock;
  };
  const call = (command: number, lock: DataView) =>
    library.fcntl(fd, command, new Uint8Array(lock.buffer)) === 0;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    if (call(F_OFD_SETLK, range())) return true;
    const number = library.errno();
    const held = range();
    if (!call(F_OFD_GETLK, held)) throw new Error(`fcntl refuses to lock the file (errno ${number})`);
    if (held.getInt16(FLOCK.type, true) !== F_UNLCK) return false;
  }
  throw new Error(`fcntl refuses to lock the file (errno ${library.errno()}), although nobody holds it`);
}

interface BunFfi {
  dlopen(
    path: string,
    symbols: Record<string, { args: string[]; returns: string }>,
  ): { readonly symbols: { readonly fcntl: Fcntl; readonly __errno_location: () => unknown } };
  readonly read: { i32(pointer: unknown, offset: number): number };
}

/** @param load `require` of Bun */
export function openInBun(load: (name: string) => unknown): CLibrary {
  const { dlopen, read } = load("bun:ffi") as BunFfi;
  const { symbols } = dlopen(C_LIBRARY, {
    fcntl: { args: ["i32", "i32", "ptr"], returns: "i32" },
    __errno_location: { args: [], returns: "ptr" },
  });
  return {
    fcntl: (fd, command, lock) => symbols.fcntl(fd, command, lock),
    errno: () => read.i32(symbols.__errno_location(), 0),
  };
}

interface DenoFfi {
  dlopen(
    path: string,
    symbols: Record<string, { parameters: string[]; result: string }>,
  ): { readonly symbols: { readonly fcntl: Fcntl; readonly __errno_location: () => unknown } };
  readonly UnsafePointerView: new (pointer: unknown) => { getInt32(): number };
}

/** @throws Error of Deno without `--allow-ffi` */
export function openInDeno(): CLibrary {
  const { dlopen, UnsafePointerView } = (globalThis as unknown as { Deno: DenoFfi }).Deno;
  const { symbols } = dlopen(C_LIBRARY, {
    fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
    __errno_location: { parameters: [], result: "pointer" },
  });
  return {
    fcntl: (fd, command, lock) => symbols.fcntl(fd, command, lock),
    errno: () => new UnsafePointerView(symbols.__errno_location()).getInt32(),
  };
}
