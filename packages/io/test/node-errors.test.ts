import { describe, expect, it } from "vitest";
import { errnoOf, fromSyncError, fromSystemError } from "../src/node-errors.js";

const systemError = (code: string) => Object.assign(new Error(`${code}: as the system says`), { code });

describe("fromSystemError", () => {
  it.each([
    ["ENOENT", "KAYA_NOT_FOUND"],
    ["ENOSPC", "KAYA_DISK_FULL"],
    ["EDQUOT", "KAYA_DISK_FULL"],
    ["EISDIR", "KAYA_INVALID_ARGUMENT"],
    ["ENOTDIR", "KAYA_INVALID_ARGUMENT"],
    ["ENAMETOOLONG", "KAYA_INVALID_ARGUMENT"],
    ["EIO", "KAYA_IO"],
    ["EACCES", "KAYA_IO"],
    ["EROFS", "KAYA_IO"],
    ["EMFILE", "KAYA_IO"],
    ["ESOMETHING", "KAYA_IO"],
  ])("maps %s to %s, with the attempt, the file and the cause", (errno, code) => {
    const cause = systemError(errno);
    const error = fromSystemError(cause, "open", "/data/file");
    expect(error.code).toBe(code);
    expect(error.cause).toBe(cause);
    expect(error.message).toContain(`open /data/file failed: ${errno}.`);
  });

  it("says what to do where that is known", () => {
    expect(fromSystemError(systemError("ENOSPC"), "write", "f").message).toContain("free some space");
    expect(fromSystemError(systemError("EMFILE"), "open", "f").message).toContain("ulimit -n");
  });

  it("takes what is no system error", () => {
    expect(fromSystemError(new Error("why"), "open", "f").message).toBe("open f failed: why.");
    expect(fromSystemError("why", "open", "f").code).toBe("KAYA_IO");
  });
});

describe("fromSyncError", () => {
  it("is KAYA_FSYNC_FAILED whatever the reason", () => {
    for (const errno of ["EIO", "ENOSPC", "EDQUOT", "EROFS", "EINVAL"]) {
      const error = fromSyncError(systemError(errno), "/data/file");
      expect(error.code).toBe("KAYA_FSYNC_FAILED");
      expect(error.message).toContain(errno);
      expect(error.message).toContain("may be lost");
    }
  });
});

describe("errnoOf", () => {
  it("is empty for anything but a system error", () => {
    for (const value of [undefined, null, 7, "ENOENT", {}, new Error("x"), { code: 7 }])
      expect(errnoOf(value)).toBe("");
    expect(errnoOf(systemError("EIO"))).toBe("EIO");
  });
});
