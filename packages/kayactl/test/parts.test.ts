import { describe, expect, test, vi } from "vitest";
import { jsonField, toJson } from "../src/bytes.js";
import { engineConfig } from "../src/options.js";
import { columns, table } from "../src/terminal/columns.js";
import { columnsOf, type OutputStream } from "../src/terminal/output.js";
import { recoveryProgress } from "../src/terminal/progress.js";
import { clip, displayBytes, escapeLines, escapeText, padEnd, textWidth } from "../src/terminal/text.js";
import { formatBytes, formatDuration } from "../src/units.js";
import { Sink } from "./helpers.js";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [1024 * 1024 - 1, "1.0 MiB"],
  [1.25 * 1024 * 1024, "1.3 MiB"],
  [5 * 1024 ** 4, "5.0 TiB"],
  [5000 * 1024 ** 4, "5000.0 TiB"],
])("%d bytes read %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0.04, "0.0 ms"],
  [9.94, "9.9 ms"],
  [9.96, "10 ms"],
  [999.6, "1.0 s"],
  [59_960, "1 min 0 s"],
  [125_400, "2 min 5 s"],
])("%d ms read %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

describe("text", () => {
  test("is escaped only where it must be", () => {
    expect(escapeText("C:\\dir ü 👨‍👩‍👧")).toBe("C:\\dir ü 👨‍👩‍👧");
    expect(escapeText("a\\b\n\r\t\u0000\u2028\ufeff\u{e0041}")).toBe(
      "a\\\\b\\n\\r\\t\\u0000\\u2028\\ufeff\\u{e0041}",
    );
    expect(escapeLines("a\\b\n\tc")).toBe("a\\b\n\tc");
    expect(escapeLines("a\\b\n\r\u007f")).toBe("a\\\\b\n\\r\\u007f");
  });

  const HIDDEN = {
    "a tag": "\u{e0041}",
    "the first tag, which is not assigned": "\u{e0000}",
    "the last tag": "\u{e007f}",
    "an interlinear anchor": "\ufff9",
    "an interlinear separator": "\ufffa",
    "an interlinear terminator": "\ufffb",
    "a bidi override": "\u202e",
    "a bidi isolate": "\u2066",
    "an Arabic letter mark": "\u061c",
    "a zero width space": "\u200b",
    "a zero width non-joiner": "\u200c",
    "a word joiner": "\u2060",
    "a soft hyphen": "\u00ad",
    "a combining grapheme joiner": "\u034f",
    "a Hangul filler": "\u3164",
    "a variation selector of the supplement": "\u{e0100}",
    "a shorthand format control": "\u{1bca0}",
    "a line separator": "\u2028",
    "a C1 control": "\u009b",
  };
  test.each(Object.entries(HIDDEN))("%s never reaches a terminal as it is", (_, character) => {
    const bytes = new TextEncoder().encode(`a${character}b`);
    for (const shown of [
      displayBytes(bytes),
      escapeLines(`a${character}b`),
      toJson(jsonField("key", bytes)),
    ]) {
      expect(shown).not.toContain(character);
      expect(shown).toMatch(/a\\u[0-9a-f{}]+/);
    }
    expect(JSON.parse(toJson(jsonField("key", bytes)))).toEqual({ key: `a${character}b` });
  });

  test("has a width that a terminal gives it", () => {
    const widths = ["👨‍👩‍👧", "🇩🇪", "1️⃣", "\u1112\u1161\u11ab", "👍🏽", "e\u0301\u0301"].map(textWidth);
    expect(widths).toEqual([2, 2, 2, 2, 2, 1]);
    expect(clip("👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧", 5)).toBe("👨‍👩‍👧👨‍👩‍👧…");
    expect(["", "…"]).toEqual([clip("abc", 0), clip("abc", 1)]);
  });

  test("stands in columns, whatever its characters take", () => {
    const rows = [
      ["name", "bytes", ""],
      ["日本", "1,000", "x"],
      ["… 3 more"],
      ["👨‍👩‍👧", "5", "DAMAGED"],
      ["e\u0301", "", "y"],
    ];
    expect(columns(rows, [0, 2])).toEqual([
      "name      bytes",
      "日本      1,000  x",
      "… 3 more",
      "👨‍👩‍👧            5  DAMAGED",
      "e\u0301                y",
    ]);
    expect(
      table([
        ["a", "1"],
        ["bcd", ""],
      ]),
    ).toBe("a    1\nbcd");
  });

  test("has a width", () => {
    expect(["abc", "ü", "u\u0308", "日本", "👍", "ﾊ", ""].map(textWidth)).toEqual([3, 1, 1, 4, 2, 1, 0]);
    expect(clip("abcdef", 6)).toBe("abcdef");
    expect(clip("abcdefg", 6)).toBe("abcde…");
    expect(clip("日本語", 5)).toBe("日本…");
    expect(clip("日本語", 4)).toBe("日…");
    expect(padEnd("日", 4)).toBe("日  ");
  });
});

test.each([
  [120, "40", 120],
  [0, "40", 40],
  [undefined, "40", 40],
  [0, "", 80],
  [undefined, "x", 80],
  [0, "-3", 80],
])("a stream of %s columns with COLUMNS=%s has %d", (own, named, expected) => {
  vi.stubEnv("COLUMNS", named);
  const stream = own === undefined ? {} : { columns: own };
  expect(columnsOf(stream as OutputStream)).toBe(expected);
  vi.unstubAllEnvs();
});

describe("progress", () => {
  const MiB = 1024 * 1024;
  const state = (bytes: number) => ({ bytes, totalBytes: 200 * MiB, records: 1 });

  test("a terminal gets a line after a second, redrawn and taken away", () => {
    let now = 0;
    const stream = new Sink(80);
    const progress = recoveryProgress(stream, () => now);
    progress.update(state(10 * MiB));
    expect(stream.bytes.length).toBe(0);
    now = 1000;
    progress.update(state(50 * MiB));
    now = 1050;
    progress.update(state(51 * MiB));
    now = 2000;
    progress.update(state(100 * MiB));
    progress.done();
    progress.done();
    expect(stream.bytes.toString()).toBe(
      "\r\u001b[Kreading the log:  25%, 50.0 MiB of 200.0 MiB, 50.0 MiB/s, 3 s left" +
        "\r\u001b[Kreading the log:  50%, 100.0 MiB of 200.0 MiB, 50.0 MiB/s, 2 s left" +
        "\r\u001b[K",
    );
  });

  test("anything else gets a plain line every five seconds", () => {
    let now = 0;
    const stream = new Sink();
    const progress = recoveryProgress(stream, () => now);
    for (now = 0; now <= 12_000; now += 500) progress.update(state((now / 500) * MiB));
    progress.done();
    expect(stream.bytes.toString()).toBe(
      "reading the log:   5%, 10.0 MiB of 200.0 MiB, 2.0 MiB/s, 1 min 35 s left\n" +
        "reading the log:  10%, 20.0 MiB of 200.0 MiB, 2.0 MiB/s, 1 min 30 s left\n",
    );
  });

  test("an empty log is no division by zero", () => {
    let now = 0;
    const stream = new Sink(80);
    const progress = recoveryProgress(stream, () => now);
    now = 2000;
    progress.update({ bytes: 0, totalBytes: 0, records: 0 });
    expect(stream.bytes.toString()).toContain("100%");
  });
});

test("no command begins a flush or a compaction by itself", () => {
  const config = engineConfig({
    data: "data",
    durability: "strict",
    recovery: "tail",
    lock: true,
    color: true,
  });
  expect(config.tables).toEqual({ autoFlush: false, autoCompact: false });
});
