import { describe, expect, test } from "vitest";
import { DEFAULT_MAX_RECORD_BYTES, resolveWalConfig, type WalConfig } from "../src/index.js";
import { messageOf } from "./message-of.js";

const MiB = 1024 * 1024;

/** What a caller without the compiler's help can pass. */
const untyped = (value: unknown) => value as Partial<WalConfig>;

describe("defaults", () => {
  const defaults = {
    segmentMaxBytes: 64 * MiB,
    maxRecordBytes: 32 * MiB,
    maxBatchBytes: 4 * MiB,
    preallocateBytes: MiB,
    quarantineMaxBytes: Number.MAX_SAFE_INTEGER,
    recovery: "tail",
  };

  test.each([
    ["nothing", undefined],
    ["an empty object", {}],
    ["explicit undefined", { segmentMaxBytes: undefined, recovery: undefined }],
    ["an object without a prototype", Object.create(null)],
  ])("for %s", (_, given) => {
    expect(resolveWalConfig(untyped(given))).toEqual(defaults);
  });

  test("the record default is also exported", () => {
    expect(DEFAULT_MAX_RECORD_BYTES).toBe(defaults.maxRecordBytes);
  });

  test("smaller segments bring the record default down with them", () => {
    expect(resolveWalConfig({ segmentMaxBytes: 1 * MiB }).maxRecordBytes).toBe(1 * MiB);
  });
});

describe("what is possible is kept", () => {
  test("tiny values, down to a bare header", () => {
    const tiny = {
      segmentMaxBytes: 40,
      maxRecordBytes: 40,
      maxBatchBytes: 1,
      preallocateBytes: 0,
      quarantineMaxBytes: Number.MAX_SAFE_INTEGER,
      recovery: "absolute",
    } as const;
    expect(resolveWalConfig(tiny)).toEqual(tiny);
  });

  test.each(["tail", "prefix", "absolute"] as const)("recovery %s", (recovery) => {
    expect(resolveWalConfig({ recovery }).recovery).toBe(recovery);
  });

  test("a resolved configuration resolves to itself", () => {
    const resolved = resolveWalConfig({ segmentMaxBytes: 100, maxBatchBytes: 7 });
    expect(resolveWalConfig(resolved)).toEqual(resolved);
  });
});

describe("what is impossible is refused", () => {
  test.each([
    ["segmentMaxBytes", 0],
    ["segmentMaxBytes", 1],
    ["segmentMaxBytes", 39],
    ["maxRecordBytes", 39],
    ["segmentMaxBytes", 2 ** 31 + 1],
    ["segmentMaxBytes", Number.POSITIVE_INFINITY],
    ["maxRecordBytes", 0],
    ["maxRecordBytes", 100.5],
    ["maxBatchBytes", 0],
    ["maxBatchBytes", -1],
    ["maxBatchBytes", Number.NaN],
    ["maxBatchBytes", 2 ** 31 + 1],
    ["maxBatchBytes", null],
  ])("%s: %s", (key, value) => {
    const message = messageOf(() => resolveWalConfig(untyped({ [key]: value })));
    expect(message).toContain(`${key} must be a whole number from`);
    expect(message).toContain(`not ${value}`);
  });

  test("a segment that holds no record, with the least that does", () => {
    const message = messageOf(() => resolveWalConfig({ segmentMaxBytes: 39 }));
    expect(message).toContain("segmentMaxBytes must be a whole number from 40 to 2147483648, not 39");
  });

  test("a string is not taken for its number, and the message tells them apart", () => {
    const message = messageOf(() => resolveWalConfig(untyped({ maxBatchBytes: "1024" })));
    expect(message).toContain('maxBatchBytes must be a whole number from 1 to 2147483648, not "1024"');
  });

  test("an unknown recovery mode, with the choices", () => {
    const message = messageOf(() => resolveWalConfig(untyped({ recovery: "lenient" })));
    expect(message).toContain('recovery must be one of "tail", "prefix", "absolute", not "lenient"');
  });

  test("a record that no segment could hold", () => {
    const message = messageOf(() => resolveWalConfig({ maxRecordBytes: 101, segmentMaxBytes: 100 }));
    expect(message).toContain("maxRecordBytes (101) must not be over segmentMaxBytes (100)");
    expect(resolveWalConfig({ maxRecordBytes: 100, segmentMaxBytes: 100 }).maxRecordBytes).toBe(100);
  });

  test("a record over the default segment size", () => {
    expect(messageOf(() => resolveWalConfig({ maxRecordBytes: 65 * MiB }))).toContain(
      "segmentMaxBytes (67108864)",
    );
  });

  test("an unusable segment size is not compared with: the one complaint is the true one", () => {
    const message = messageOf(() => resolveWalConfig({ segmentMaxBytes: -1, maxRecordBytes: 65 * MiB }));
    expect(message).toContain("segmentMaxBytes must be");
    expect(message).not.toContain("must not be over");
  });

  test("an unknown option, with the known ones: a typing error is no default", () => {
    const message = messageOf(() => resolveWalConfig(untyped({ segmentMaxByte: 100 })));
    expect(message).toContain("segmentMaxByte is not an option");
    expect(message).toContain("segmentMaxBytes, maxRecordBytes, maxBatchBytes, preallocateBytes, recovery");
  });
});
