import { KayaError } from "@kaya/core";
import { describe, expect, it } from "vitest";
import { type CLibrary, lockByFcntl } from "../src/ffi-lock.js";
import { loadTryLock } from "../src/native-lock.js";

const [GET, SET] = [36, 37];
const [WRITE_LOCK, UNLOCKED] = [1, 2];

/** A kernel with one lock, which reads the bytes of `struct flock` as Linux does. */
class Kernel implements CLibrary {
  holder: number | undefined;
  asked: string[] = [];
  refuses = false;
  /** Called before each question who has the lock. */
  meanwhile: () => void = () => undefined;

  fcntl = (fd: number, command: number, bytes: Uint8Array): number => {
    const lock = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [type, whence] = [lock.getInt16(0, true), lock.getInt16(2, true)];
    // The kernel refuses a lock of a file description that names a process.
    if (lock.getInt32(24, true) !== 0 || this.refuses) return -1;
    this.asked.push(`${type} ${whence} ${lock.getBigInt64(8, true)}+${lock.getBigInt64(16, true)}`);
    if (command === GET) {
      this.meanwhile();
      if (this.holder === undefined || this.holder === fd) lock.setInt16(0, UNLOCKED, true);
      else lock.setInt32(24, -1, true);
      return 0;
    }
    if (command !== SET || type !== WRITE_LOCK) throw new Error(`no command ${command} is expected here`);
    if (this.holder !== undefined && this.holder !== fd) return -1;
    this.holder = fd;
    return 0;
  };

  errno(): number {
    return this.refuses ? 37 : 11;
  }
}

describe("the lock by fcntl", () => {
  it("is a write lock on the range, and false where another descriptor has it", () => {
    const kernel = new Kernel();
    expect(lockByFcntl(kernel, 7, 2 ** 30, 1)).toBe(true);
    expect(kernel.asked).toEqual(["1 0 1073741824+1"]);
    expect(lockByFcntl(kernel, 8, 2 ** 30, 1)).toBe(false);
  });

  it("is tried again where it was released before the question who has it", () => {
    const kernel = new Kernel();
    kernel.holder = 1;
    kernel.meanwhile = () => {
      kernel.holder = undefined;
    };
    expect(lockByFcntl(kernel, 7, 0, 1)).toBe(true);
    expect(kernel.holder).toBe(7);
  });

  it("throws where the file system has no locks: that is no conflict", () => {
    const kernel = new Kernel();
    kernel.refuses = true;
    expect(() => lockByFcntl(kernel, 7, 0, 1)).toThrow("fcntl refuses to lock the file (errno 37)");
  });
});

function errorOf(call: () => unknown): KayaError {
  try {
    call();
  } catch (error) {
    if (KayaError.is(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("a runtime that the native module kills", () => {
  it.each([
    ["bun", "Bun", "win32", "x64"],
    ["deno", "Deno", "darwin", "arm64"],
  ])("%s is told where it can lock", (version, name, platform, arch) => {
    const runtime = { versions: { [version]: "1.0.0" }, platform, arch };
    const { code, message } = errorOf(() => loadTryLock("/data/LOCK", runtime));
    expect(code).toBe("KAYA_IO");
    expect(message).toBe(
      `cannot lock /data/LOCK in ${name} on ${platform}-${arch}: use Node.js there. In ${name} the lock works on Linux x64 and arm64. ` +
        "Without a lock, two processes can write at once and destroy the log. If you make sure that only one process opens the directory, set `disableLocking: true`.",
    );
  });

  // Node has no `Deno.dlopen`, so it fails there as in a Deno without the permission.
  it.skipIf(process.versions.deno !== undefined)("Deno without permission is told the flag", () => {
    const runtime = { versions: { deno: "2.9.6" }, platform: "linux", arch: "x64" };
    const { code, message } = errorOf(() => loadTryLock("/data/LOCK", runtime));
    expect(code).toBe("KAYA_IO");
    expect(message).toMatch(
      /^cannot lock \/data\/LOCK in Deno: .*Add --allow-ffi to the command\. Without a lock/,
    );
  });
});
