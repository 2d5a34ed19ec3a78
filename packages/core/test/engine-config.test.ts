import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { type PartialEngineConfig, resolveEngineConfig, resolveWalConfig } from "../src/index.js";
import { messageOf } from "./message-of.js";

/** What a caller without the compiler's help can pass. */
const untyped = (value: unknown) => value as PartialEngineConfig;

describe("defaults", () => {
  const defaults = {
    dataDir: "./data",
    durability: "strict",
    wal: {
      segmentMaxBytes: 67_108_864,
      maxRecordBytes: 33_554_432,
      maxBatchBytes: 4_194_304,
      preallocateBytes: 1_048_576,
      recovery: "tail",
      quarantineMaxBytes: Number.MAX_SAFE_INTEGER,
    },
    limits: { maxKeyBytes: 4096, maxValueBytes: 16_777_216 },
    memory: { memtableBytes: 64 * 2 ** 20, cacheBytes: 64 * 2 ** 20 },
    compression: "none",
    tables: {
      autoFlush: true,
      autoCompact: true,
      tableBytes: 32 * 2 ** 20,
      blockBytes: 16_384,
      level0Tables: 4,
      level0Stop: 12,
      baseLevelBytes: 128 * 2 ** 20,
      levelRatio: 10,
      quietMs: 1000,
      worker: true,
    },
    changes: { maxKeptLogBytes: 256 * 2 ** 20 },
    readOnly: false,
    allowForeignFiles: false,
    disableLocking: false,
  };

  test.each([
    ["nothing", undefined],
    ["an empty object", {}],
    ["empty parts", { wal: {}, limits: {}, memory: {}, tables: {}, changes: {} }],
    ["explicit undefined", { dataDir: undefined, wal: undefined, limits: { maxKeyBytes: undefined } }],
    ["an object of another realm", runInNewContext("({ wal: {} })")],
  ])("for %s", (_, given) => {
    expect(resolveEngineConfig(untyped(given))).toEqual(defaults);
  });

  test("of the log are those of resolveWalConfig", () => {
    expect(resolveEngineConfig().wal).toEqual(resolveWalConfig());
  });
});

describe("what is possible is kept", () => {
  test("every option, at every depth", () => {
    const config = {
      dataDir: "/var/lib/kaya",
      durability: "relaxed",
      wal: {
        segmentMaxBytes: 400,
        maxRecordBytes: 200,
        maxBatchBytes: 100,
        preallocateBytes: 4096,
        recovery: "prefix",
        quarantineMaxBytes: 7,
      },
      limits: { maxKeyBytes: 0, maxValueBytes: 0 },
      memory: { memtableBytes: 1024, cacheBytes: 0 },
      compression: "snappy",
      tables: {
        autoFlush: false,
        autoCompact: false,
        tableBytes: 1,
        blockBytes: 512,
        level0Tables: 13,
        level0Stop: 13,
        baseLevelBytes: 1,
        levelRatio: 2,
        quietMs: 0,
        worker: false,
      },
      changes: { maxKeptLogBytes: 0 },
      readOnly: true,
      allowForeignFiles: true,
      disableLocking: true,
    } as const;
    expect(resolveEngineConfig(config)).toEqual(config);
  });

  test("one nested option leaves the defaults beside it", () => {
    expect(resolveEngineConfig({ limits: { maxKeyBytes: 8 } }).limits).toEqual({
      maxKeyBytes: 8,
      maxValueBytes: 16_777_216,
    });
  });

  test("the caller's object is neither changed nor kept", () => {
    const wal = Object.freeze({ maxBatchBytes: 5 });
    const config = Object.freeze({ wal });
    const resolved = resolveEngineConfig(config);
    expect(resolved.wal).not.toBe(wal);
    expect(config).toEqual({ wal: { maxBatchBytes: 5 } });
  });
});

describe("what is impossible is refused", () => {
  test.each([
    [{ dataDir: "" }, 'dataDir must be a non-empty string without NUL, not ""'],
    [{ dataDir: "a\0b" }, "dataDir must be a non-empty string without NUL"],
    [
      { dataDir: new URL("file:///data") },
      "dataDir must be a non-empty string without NUL, not an object (URL)",
    ],
    [{ durability: "eventual" }, 'durability must be one of "strict", "relaxed", not "eventual"'],
    [{ durability: null }, "durability must be one of"],
    [{ limits: { maxKeyBytes: -1 } }, "limits.maxKeyBytes must be a whole number >= 0, not -1"],
    [{ limits: { maxValueBytes: 2 ** 53 } }, "limits.maxValueBytes must be a whole number >= 0"],
    [{ limits: { maxValueBytes: 1n } }, "limits.maxValueBytes must be a whole number >= 0, not 1n"],
    [{ tables: { autoFlush: "yes" } }, 'tables.autoFlush must be true or false, not "yes"'],
    [{ tables: true }, "tables must be a plain object, not true"],
    [{ allowForeignFiles: "yes" }, 'allowForeignFiles must be true or false, not "yes"'],
    [{ disableLocking: 1 }, "disableLocking must be true or false, not 1"],
    [{ wal: null }, "wal must be a plain object, not null"],
    [{ wal: { maxBatchBytes: 0 } }, "wal.maxBatchBytes must be a whole number from 1"],
    [{ wal: { recovery: "lenient" } }, "wal.recovery must be one of"],
    [
      { wal: { segmentMaxBytes: 100, maxRecordBytes: 200 } },
      "wal.maxRecordBytes (200) must not be over wal.segmentMaxBytes (100)",
    ],
    [{ datadir: "./x" }, "datadir is not an option (known: dataDir, "],
    [{ wal: { fsync: false } }, "wal.fsync is not an option (known: segmentMaxBytes, "],
    [{ limits: { maxKeys: 1 } }, "limits.maxKeys is not an option (known: maxKeyBytes, maxValueBytes)"],
    [{ tables: { ratio: 2 } }, "tables.ratio is not an option (known: autoFlush, autoCompact, "],
    [{ tables: { levelRatio: 1 } }, "tables.levelRatio must be a whole number from 2 to 1000, not 1"],
    [{ tables: { level0Tables: 5, level0Stop: 4 } }, "tables.level0Stop must be a whole number >= 5, not 4"],
    [
      { memory: { memtableBytes: 1023 } },
      "memory.memtableBytes must be a whole number from 1024 to 17179869184, not 1023",
    ],
    [{ compression: "zip" }, 'compression must be one of "none", "snappy", not "zip"'],
    [{ changes: { maxKeptLogBytes: -1 } }, "changes.maxKeptLogBytes must be a whole number >= 0, not -1"],
    [{ changes: { keep: 1 } }, "changes.keep is not an option (known: maxKeptLogBytes)"],
    [JSON.parse('{ "__proto__": {} }'), "__proto__ is not an option"],
  ])("%o", (given, complaint) => {
    expect(messageOf(() => resolveEngineConfig(untyped(given)))).toContain(complaint);
  });

  test.each([
    ["null", null],
    ["an array", []],
    ["a string", "./data"],
    ["a function", () => ({})],
    ["a Map, whose entries would be ignored", new Map([["dataDir", "./x"]])],
    ["bytes", new Uint8Array(1000)],
    ["an instance of a class", new (class Config {})()],
  ])("%s instead of the configuration", (_, given) => {
    const message = messageOf(() => resolveEngineConfig(untyped(given)));
    expect(message).toMatch(/^invalid engine configuration: config must be a plain object, not .+$/);
    expect(message.length).toBeLessThan(150);
  });
});

test("everything that is wrong is said at once", () => {
  const message = messageOf(() =>
    resolveEngineConfig(
      untyped({
        dataDir: 5,
        durability: "eventual",
        colour: "red",
        wal: { segmentMaxBytes: 0, maxBatchBytes: -1, recovery: "none", sync: true },
        limits: { maxKeyBytes: "1", maxValueBytes: {} },
        tables: [],
        disableLocking: "no",
      }),
    ),
  );
  const complaints = message.replace("invalid engine configuration: ", "").split("; ");
  expect(complaints.map((complaint) => complaint.split(" ")[0]).sort()).toEqual([
    "colour",
    "dataDir",
    "disableLocking",
    "durability",
    "limits.maxKeyBytes",
    "limits.maxValueBytes",
    "tables",
    "wal.maxBatchBytes",
    "wal.recovery",
    "wal.segmentMaxBytes",
    "wal.sync",
  ]);
});
