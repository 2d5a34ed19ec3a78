import { describe, expect, test, vi } from "vitest";
import { asKayaError, KayaError, type KayaErrorCode } from "../src/index.js";

// The public contract. A Record, so that a new code does not compile until it stands here.
const EXIT_CODES: Record<KayaErrorCode, number> = {
  KAYA_NOT_FOUND: 2,
  KAYA_CORRUPTION: 3,
  KAYA_INVALID_ARGUMENT: 4,
  KAYA_UNSUPPORTED_VERSION: 4,
  KAYA_INVARIANT_VIOLATION: 5,
  KAYA_LOCK_CONFLICT: 6,
  KAYA_IO: 1,
  KAYA_INTERNAL: 1,
  KAYA_DISK_FULL: 1,
  KAYA_FSYNC_FAILED: 1,
  KAYA_WRITER_FAILED: 1,
  KAYA_CLOSED: 1,
  KAYA_CONFLICT: 1,
  KAYA_LOG_TRUNCATED: 1,
  KAYA_READ_ONLY: 4,
  KAYA_DIRECTORY_REPLACED: 1,
  KAYA_DECODE_FAILED: 1,
  KAYA_NOT_UNIQUE: 1,
  KAYA_BUSY: 1,
  KAYA_NOT_LEADER: 1,
  KAYA_FENCED: 1,
  KAYA_NO_MAJORITY: 1,
  KAYA_IN_DOUBT: 1,
};

describe("KayaError", () => {
  test.each(Object.entries(EXIT_CODES))("%s ends a command line with %i", (code, exitCode) => {
    expect(new KayaError(code as KayaErrorCode, "message").exitCode).toBe(exitCode);
  });

  test("is an Error with code, message and name", () => {
    const error = new KayaError("KAYA_CORRUPTION", "segment 3 at 108");
    expect(error).toBeInstanceOf(Error);
    expect(error.code).toBe("KAYA_CORRUPTION");
    expect(error.message).toBe("segment 3 at 108");
    expect(String(error)).toBe("KayaError: segment 3 at 108");
    expect(error.stack).toContain("errors.test");
  });

  test("keeps its cause, and has none where none was given", () => {
    const cause = new Error("ENOSPC");
    expect(new KayaError("KAYA_DISK_FULL", "message", { cause }).cause).toBe(cause);
    expect("cause" in new KayaError("KAYA_DISK_FULL", "message")).toBe(false);
  });

  test("shows nothing of its marker when it is logged or copied", () => {
    const error = new KayaError("KAYA_IO", "message");
    expect(Object.keys(error).sort()).toEqual(["code", "name"]);
    expect(Reflect.ownKeys({ ...error }).filter((key) => typeof key === "symbol")).toEqual([]);
  });
});

describe("KayaError.is", () => {
  test("is true for any KayaError, and with a code only for that code", () => {
    const error = new KayaError("KAYA_CLOSED", "message");
    expect(KayaError.is(error)).toBe(true);
    expect(KayaError.is(error, "KAYA_CLOSED")).toBe(true);
    expect(KayaError.is(error, "KAYA_IO")).toBe(false);
  });

  test.each([
    ["undefined", undefined],
    ["null", null],
    ["a string", "KAYA_CLOSED"],
    ["a plain Error", new Error("message")],
    ["a look-alike without the marker", { name: "KayaError", code: "KAYA_CLOSED", exitCode: 1 }],
  ])("is false for %s", (_, value) => {
    expect(KayaError.is(value)).toBe(false);
  });

  test("recognises the errors of a second copy of the package, both ways", async () => {
    vi.resetModules();
    const copy = await import("../src/index.js");
    expect(copy.KayaError).not.toBe(KayaError);
    const theirs = new copy.KayaError("KAYA_LOCK_CONFLICT", "message");
    const ours = new KayaError("KAYA_LOCK_CONFLICT", "message");
    expect(theirs).not.toBeInstanceOf(KayaError);
    expect(KayaError.is(theirs, "KAYA_LOCK_CONFLICT")).toBe(true);
    expect(KayaError.is(theirs, "KAYA_IO")).toBe(false);
    expect(copy.KayaError.is(ours, "KAYA_LOCK_CONFLICT")).toBe(true);
    expect(asKayaError(theirs, "opening")).toBe(theirs);
  });
});

describe("asKayaError", () => {
  test("hands a KayaError through as it is", () => {
    const error = new KayaError("KAYA_CONFLICT", "message");
    expect(asKayaError(error, "writing")).toBe(error);
  });

  test("wraps any other error as KAYA_INTERNAL, says what was being done and keeps the cause", () => {
    const cause = new TypeError("x is not a function");
    const error = asKayaError(cause, "replaying the log");
    expect(error).toMatchObject({ code: "KAYA_INTERNAL", message: "replaying the log: x is not a function" });
    expect(error.cause).toBe(cause);
  });

  test.each([
    ["a string", "boom", 'writing: "boom"'],
    ["undefined", undefined, "writing: undefined"],
    ["an error-like object", { message: "from another realm" }, "writing: from another realm"],
    ["an object without a prototype", Object.create(null), "writing: an object"],
    ["a message that is no string", { message: Symbol("m") }, "writing: an object (Object)"],
  ])("accepts %s, because anything can be thrown", (_, thrown, message) => {
    expect(asKayaError(thrown, "writing").message).toBe(message);
  });
});
