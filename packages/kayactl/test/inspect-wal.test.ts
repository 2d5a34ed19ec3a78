import { copyFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeRecord, inspectWalPath, type WalPayload } from "@kaya/wal";
import { describe, expect, test } from "vitest";
import { textWidth } from "../src/terminal/text.js";
import {
  dataDirectory,
  filledDirectory,
  flipInFile,
  flipped,
  kayactl,
  SEGMENT,
  temporaryDirectory,
  VECTOR,
} from "./helpers.js";

const bytes = (text: string) => Buffer.from(text);
const put = (key: string, value = ""): WalPayload & { type: "put" } => ({
  type: "put",
  key: bytes(key),
  value: bytes(value),
});

/** Records one behind the other, from LSN 1. */
function log(...payloads: readonly WalPayload[]): Buffer {
  let sequence = 1;
  return Buffer.concat(
    payloads.map((payload, index) => {
      const record = encodeRecord({ lsn: index + 1, sequence, payload });
      sequence += payload.type === "batch" ? payload.operations.length : 1;
      return record;
    }),
  );
}

const lines = (text: string) => text.split("\n").slice(0, -1);
const lsns = (text: string) => [...text.matchAll(/lsn=(\d+)/g)].map(([, lsn]) => Number(lsn));

describe("a directory", () => {
  test("with at most 1,000 records has a line for each", async () => {
    const data = await filledDirectory(1000);
    const { stdout, stderr } = await kayactl(["inspect", "wal", data]);
    expect(lsns(stdout)).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1));
    expect(stderr).toBe("");
  });

  test("with more is summed up, and --records lists them all the same", async () => {
    const data = await filledDirectory(1001);
    const length = (await stat(join(data, "wal", SEGMENT))).size;
    expect(await kayactl(["inspect", "wal", data])).toEqual({
      code: 0,
      stdout: [
        "segment               LSN        records    PUT  DELETE  NOOP  BATCH     bytes",
        `0000000000000001.wal  1 to 1001    1,001  1,001       0     0      0  ${(length / 1024).toFixed(1)} KiB`,
        "",
      ].join("\n"),
      stderr: "",
    });
    expect((await kayactl(["inspect", "wal", data], { columns: 80 })).stderr).toMatch(/^hint: --records /);
    expect(lines((await kayactl(["inspect", "wal", data, "--records"])).stdout)).toHaveLength(1001);
    expect(lines((await kayactl(["inspect", "wal", join(data, "wal", SEGMENT)])).stdout)).toHaveLength(1001);
  });

  test("of many segments fits a screen, with the damaged ones", async () => {
    const data = await filledDirectory(2000, 1500);
    const { segments } = await inspectWalPath(data);
    expect(segments.length).toBeGreaterThan(60);
    const damaged = segments[30]?.segment ?? "";
    await flipInFile(join(data, "wal", damaged), 50);
    const { code, stdout } = await kayactl(["inspect", "wal", data]);
    expect(code).toBe(3);
    expect(lines(stdout).length).toBeLessThan(24);
    expect(stdout).toMatch(new RegExp(`^${damaged}  none +0 .* DAMAGED$`, "m"));
    expect(stdout).toContain(`${damaged}: offset 0: the payload's checksum is wrong`);
    expect(stdout).toMatch(/^… 27 more$/m);
    expect(stdout).toMatch(new RegExp(`^${segments.length} segments +1 to 2000 `, "m"));
  });

  test("on a terminal the summary follows the lines, on standard error", async () => {
    const data = await dataDirectory(VECTOR.subarray(0, 57), VECTOR.subarray(57));
    const { stdout, stderr } = await kayactl(["inspect", "wal", data], { columns: 80 });
    expect(lines(stdout)).toHaveLength(5);
    expect(lines(stderr)).toEqual([
      expect.stringContaining("segment"),
      "0000000000000001.wal  1 to 1        1    1       0     0      0   57 B",
      "0000000000000002.wal  2 to 3        2    0       1     1      0   90 B",
      "2 segments            1 to 3        3    1       1     1      0  147 B",
    ]);
  });

  test("the summary names the tables", async () => {
    const data = await filledDirectory(3);
    await kayactl(["flush", "--data", data]);
    await kayactl(["put", "k", "v", "--data", data]);
    const { stdout } = await kayactl(["inspect", "wal", data, "--summary"]);
    expect(stdout).toMatch(/^tables: 1 of \d+ B, covering the log through LSN 3$/m);
    const json = JSON.parse((await kayactl(["inspect", "wal", data, "--summary", "--json"])).stdout);
    expect(json).toEqual({
      segments: [
        {
          segment: "0000000000000002.wal",
          bytes: expect.any(Number),
          records: 1,
          firstLsn: 4,
          lastLsn: 4,
          types: { PUT: 1, DELETE: 0, NOOP: 0, BATCH: 0, DELETE_RANGE: 0, PUT_EXPIRING: 0 },
          warnings: [],
        },
      ],
      total: {
        bytes: json.segments[0].bytes,
        records: 1,
        firstLsn: 4,
        lastLsn: 4,
        types: { PUT: 1, DELETE: 0, NOOP: 0, BATCH: 0, DELETE_RANGE: 0, PUT_EXPIRING: 0 },
      },
      tables: {
        manifest: expect.stringMatching(/^manifest\/[0-9a-f]{16}\.manifest$/),
        coveredLsn: 3,
        tables: 1,
        bytes: expect.any(Number),
        levels: [{ level: 0, tables: 1, bytes: json.tables.bytes, entries: 3, tombstones: 0 }],
      },
    });
  });
});

describe("keys", () => {
  const operations = Array.from({ length: 25 }, (_, index) => put(`item:${index}`, "v"));

  test("are shown, and the first operations of a batch", async () => {
    const data = await dataDirectory(log(put("a\u001b b"), { type: "noop" }, { type: "batch", operations }));
    const shown = lines((await kayactl(["inspect", "wal", data])).stdout);
    expect(shown.slice(0, 4)).toEqual([
      'offset=0 lsn=1 seq=1 type=PUT key_len=4 value_len=0 checksum=ok key="a\\\\u001b b"',
      "offset=52 lsn=2 seq=2 type=NOOP checksum=ok",
      "offset=92 lsn=3 seq=3 type=BATCH operations=25 checksum=ok",
      "  operation=0 type=PUT key=item:0 value_len=1",
    ]);
    expect(shown).toHaveLength(3 + 20 + 1);
    expect(shown.at(-1)).toBe("  … 5 more operations; --key PREFIX shows all that have such a key");
    const all = lines((await kayactl(["inspect", "wal", data, "--key", "item:"])).stdout);
    expect(all).toHaveLength(1 + 25);
  });

  test("are cut to the width of a terminal, and only there", async () => {
    const range = {
      type: "deleteRange",
      start: bytes("日".repeat(100)),
      end: bytes("鿿".repeat(100)),
    } as const;
    const data = await dataDirectory(
      log(put("k".repeat(300)), range, { type: "batch", operations: [put("b".repeat(300), "v")] }),
    );
    const path = join(data, "wal", SEGMENT);
    const { stdout } = await kayactl(["inspect", "wal", path, "--no-color"], { columns: 120 });
    for (const line of lines(stdout)) expect(textWidth(line)).toBeLessThanOrEqual(120);
    expect(stdout).toMatch(/ key=k+…\n/);
    expect(stdout).toMatch(/ start=日+… end=鿿+…\n/);
    expect(stdout).toMatch(/ {2}operation=0 type=PUT key=b+… value_len=1\n/);
    expect((await kayactl(["inspect", "wal", path])).stdout).toContain(`key=${"k".repeat(300)}\n`);
  });
});

describe("a file that is no segment", () => {
  test("is refused with what a segment begins with", async () => {
    const path = join(await temporaryDirectory(), "passwd");
    await writeFile(path, "root:x:0:0:root:/root:/bin/bash\n");
    for (const more of [[], ["--summary"], ["--json"], ["--html", `${path}.html`]]) {
      const { code, stdout, stderr } = await kayactl(["inspect", "wal", path, ...more]);
      expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
      expect(stderr).toContain(
        'passwd is not a segment of a log: a segment begins with 41 59 41 4b ("AYAK"), and this file begins with 72 6f 6f 74 ("root").',
      );
    }
  });

  test("a damaged segment is one, by its name or by a whole record", async () => {
    const data = await dataDirectory(flipped(VECTOR, 0));
    const path = join(data, "wal", SEGMENT);
    expect((await kayactl(["inspect", "wal", path])).code).toBe(3);
    await copyFile(path, join(data, "copy"));
    expect((await kayactl(["inspect", "wal", join(data, "copy")])).code).toBe(3);
    for (const [name, content] of [
      ["empty", ""],
      ["begun", "AY"],
      ["zeros", "\0".repeat(100)],
    ] as const) {
      await writeFile(join(data, name), content);
      expect((await kayactl(["inspect", "wal", join(data, name)])).stderr).not.toContain("not a segment");
    }
  });
});

describe("filters that let nothing through say what is there", () => {
  test.each([
    [["--lsn", "900"], "no record has LSN 900: the last record has LSN 5"],
    [["--lsn", "6.."], "no record has LSN 6 or more: the last record has LSN 5"],
    [
      ["--lsn", "1..2"],
      "no record has LSN 1 to 2: the first record has LSN 4; the tables cover the log through LSN 3",
    ],
    [
      ["--lsn", "..3"],
      "no record has LSN 3 or less: the first record has LSN 4; the tables cover the log through LSN 3",
    ],
    [
      ["--key", "x"],
      'no record from LSN 4 to 5 has a key that begins with "x"; the tables cover the log through LSN 3',
    ],
    [
      ["--key", "k", "--lsn", "5"],
      'no record from LSN 5 to 5 has a key that begins with "k"; the tables cover the log through LSN 3',
    ],
  ])("%j", async (options, note) => {
    const data = await filledDirectory(3);
    await kayactl(["flush", "--data", data]);
    for (const key of ["k", "l"]) await kayactl(["put", key, "v", "--data", data]);
    const { code, stdout, stderr } = await kayactl(["inspect", "wal", data, ...options]);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: `note: ${note}\n` });
  });

  test("a log without records", async () => {
    const data = await dataDirectory(Buffer.alloc(0));
    expect((await kayactl(["inspect", "wal", data, "--lsn", "1"])).stderr).toBe(
      "note: the log has no records\n",
    );
  });
});

describe("--lsn", () => {
  test.each([
    ["3..5", [3, 4, 5]],
    ["..2", [1, 2]],
    ["19..", [19, 20]],
    ["7", [7]],
    ["21..30", []],
  ])("%s, over several segments", async (range, expected) => {
    const data = await filledDirectory(20, 400);
    const { code, stdout } = await kayactl(["inspect", "wal", data, "--lsn", range]);
    expect({ code, lsns: lsns(stdout) }).toEqual({ code: 0, lsns: expected });
    const json = JSON.parse((await kayactl(["inspect", "wal", data, "--lsn", range, "--json"])).stdout);
    const rows = json.segments.flatMap(({ rows }: { rows: object[] }) => rows);
    const all = (await inspectWalPath(data)).segments.flatMap(({ rows }) => rows);
    expect(rows).toEqual(all.filter(({ lsn }) => expected.includes(lsn)));
  });

  test("reads nothing behind its last record", async () => {
    const data = await filledDirectory(20, 400);
    const { segments } = await inspectWalPath(data);
    await flipInFile(join(data, "wal", segments[3]?.segment ?? ""), 50);
    const last = segments[1]?.rows.at(-1)?.lsn ?? 0;
    expect((await kayactl(["inspect", "wal", data, "--lsn", `..${last}`])).code).toBe(0);
    expect((await kayactl(["inspect", "wal", data, "--lsn", `${last}..`])).code).toBe(3);
  });

  test.each(["x", "..", "5..3", "1...2", "-1", "99999999999999999999"])("%s is refused", async (range) => {
    const { code, stderr } = await kayactl(["inspect", "wal", await dataDirectory(VECTOR), `--lsn=${range}`]);
    expect(code).toBe(4);
    expect(stderr).toContain("--lsn");
  });
});

describe("--key", () => {
  const batch: WalPayload = {
    type: "batch",
    operations: [put("other"), { type: "delete", key: bytes("user:2") }, put("user:3", "xyz")],
  };

  test("shows records with such a key, and the operations of a batch that have it", async () => {
    const data = await dataDirectory(
      log(put("user:1", "a"), put("use"), { type: "noop" }, batch, { type: "delete", key: bytes("user: 4") }),
    );
    const argv = ["inspect", "wal", data, "--key", "user:"];
    expect(lines((await kayactl(argv)).stdout)).toEqual([
      "offset=0 lsn=1 seq=1 type=PUT key_len=6 value_len=1 checksum=ok key=user:1",
      "offset=146 lsn=4 seq=4 type=BATCH operations=3 checksum=ok",
      "  operation=1 type=DELETE key=user:2",
      "  operation=2 type=PUT key=user:3 value_len=3",
      'offset=233 lsn=5 seq=7 type=DELETE key_len=7 checksum=ok key="user: 4"',
    ]);
    const json = JSON.parse((await kayactl([...argv, "--json"])).stdout);
    expect(json.segments[0].rows).toMatchObject([
      { lsn: 1, key: "user:1" },
      {
        lsn: 4,
        matches: [
          { operation: 1, type: "DELETE", key: "user:2" },
          { operation: 2, type: "PUT", key: "user:3", valueLength: 3 },
        ],
      },
      { lsn: 5, key: "user: 4" },
    ]);
  });

  test("shows when a put expires, alone and in a batch", async () => {
    const until = (key: string) => ({ ...put(key, "v"), expiresAt: 1_767_225_600_000 }) as const;
    const data = await dataDirectory(
      log(until("user:1"), { type: "batch", operations: [put("other"), until("user:2")] }),
    );
    const argv = ["inspect", "wal", data, "--key", "user:"];
    expect(lines((await kayactl(argv)).stdout)).toEqual([
      "offset=0 lsn=1 seq=1 type=PUT_EXPIRING key_len=6 value_len=1 expires_at=1767225600000 checksum=ok key=user:1",
      "offset=63 lsn=2 seq=2 type=BATCH operations=2 checksum=ok",
      "  operation=1 type=PUT_EXPIRING key=user:2 value_len=1 expires_at=1767225600000",
    ]);
    const json = JSON.parse((await kayactl([...argv, "--json"])).stdout);
    expect(json.segments[0].rows).toMatchObject([
      { lsn: 1, type: "PUT_EXPIRING", expiresAt: 1_767_225_600_000, key: "user:1" },
      { lsn: 2, matches: [{ operation: 1, type: "PUT_EXPIRING", expiresAt: 1_767_225_600_000 }] },
    ]);
    const summary = (await kayactl(["inspect", "wal", data, "--summary"])).stdout;
    expect(summary).toMatch(/PUT +DELETE +NOOP +BATCH +PUT_EXPIRING +bytes\n\S+ +1 to 2 +2 +0 +0 +0 +1 +1 /);
  });

  test("shows range deletes that have such a key in them, alone or in a batch", async () => {
    const range = (start: string, end?: string) =>
      ({
        type: "deleteRange",
        start: bytes(start),
        end: end === undefined ? undefined : bytes(end),
      }) as const;
    const inside = [range("", "v"), range("user:1"), range("user:", "user:\0"), range("a b", "user:\0\0")];
    const outside = [range("v"), range("", "user:"), range("user;", "v"), range("a", "use")];
    const data = await dataDirectory(
      log(...inside, ...outside, { type: "batch", operations: [...outside, range("u"), put("other")] }),
    );
    const argv = ["inspect", "wal", data, "--key", "user:"];
    const { stdout } = await kayactl(argv);
    expect(lines(stdout).map((line) => line.replace(/^offset=\d+ |checksum=ok /g, ""))).toEqual([
      'lsn=1 seq=1 type=DELETE_RANGE start_len=0 end_len=1 start="" end=v',
      "lsn=2 seq=2 type=DELETE_RANGE start_len=6 end_len=none start=user:1",
      "lsn=3 seq=3 type=DELETE_RANGE start_len=5 end_len=6 start=user: end=user:\\u0000",
      'lsn=4 seq=4 type=DELETE_RANGE start_len=3 end_len=7 start="a b" end=user:\\u0000\\u0000',
      "lsn=9 seq=9 type=BATCH operations=6 checksum=ok",
      "  operation=4 type=DELETE_RANGE start=u",
    ]);
    const json = JSON.parse((await kayactl([...argv, "--json"])).stdout);
    expect(json.segments[0].rows).toMatchObject([
      { lsn: 1, type: "DELETE_RANGE", startLength: 0, endLength: 1, start: "", end: "v" },
      { lsn: 2, startLength: 6, start: "user:1" },
      {},
      {},
      { lsn: 9, matches: [{ operation: 4, type: "DELETE_RANGE", start: "u" }] },
    ]);
    const summary = (await kayactl(["inspect", "wal", data, "--summary"])).stdout;
    expect(summary).toMatch(/PUT +DELETE +NOOP +BATCH +DELETE_RANGE +bytes\n\S+ +1 to 9 +9 +0 +0 +0 +1 +8 /);
  });

  test("takes hex for what is no text", async () => {
    const key = Buffer.from([0, 0xff, 1]);
    const data = await dataDirectory(log(put("a"), { type: "delete", key }));
    const { stdout } = await kayactl(["inspect", "wal", data, "--key", "hex:00ff"]);
    expect(lines(stdout)).toEqual(["offset=49 lsn=2 seq=2 type=DELETE key_len=3 checksum=ok key=hex:00ff01"]);
    expect((await kayactl(["inspect", "wal", data, "--key", "hex:0"])).code).toBe(4);
    expect((await kayactl(["inspect", "wal", data, "--key", "\ufffd"])).code).toBe(4);
  });

  test("leaves out the heads of segments of which nothing is shown", async () => {
    const data = await filledDirectory(20, 400);
    const { stdout } = await kayactl(["inspect", "wal", data, "--key", "key-00019"]);
    expect(lines(stdout)).toHaveLength(2);
    expect(stdout).toMatch(/^segment=.*\noffset=.* lsn=20 .* key=key-00019\n$/);
  });
});

describe("--hex", () => {
  test("shows the bytes of each record where they stand in the file", async () => {
    const path = join(await dataDirectory(VECTOR), "wal", SEGMENT);
    const { stdout } = await kayactl(["inspect", "wal", path, "--hex"]);
    expect(stdout).toContain(
      [
        "offset=57 lsn=2 seq=2 type=DELETE key_len=6 checksum=ok key=user:2",
        "  00000039  41 59 41 4b 01 00 28 00  00 00 02 00 02 00 00 00  |AYAK..(.........|",
        "  00000049  00 00 00 00 02 00 00 00  00 00 00 00 0a 00 00 00  |................|",
        "  00000059  43 16 83 5a 41 77 ee 46  06 00 00 00 75 73 65 72  |C..ZAw.F....user|",
        "  00000069  3a 32                                             |:2|",
        "",
      ].join("\n"),
    );
    const json = JSON.parse((await kayactl(["inspect", "wal", path, "--hex", "--json"])).stdout);
    const shown: string[] = json.segments[0].rows.map(({ hex }: { hex: string }) => hex);
    expect(shown.join("")).toBe(VECTOR.toString("hex"));
  });

  test("shows the bytes where damage begins", async () => {
    const { stdout } = await kayactl([
      "inspect",
      "wal",
      await dataDirectory(VECTOR.subarray(0, 120)),
      "--hex",
    ]);
    expect(stdout).toMatch(
      /\nCORRUPTION offset=107 kind=PartialHeader\n {2}0000006b {2}41 59 41 4b 01 00 28 00 {2}00 00 03 00 03 +\|AYAK\.\.\(\.\.\.\.\.\.\|\n$/,
    );
  });
});

test("options that contradict each other are told at once", async () => {
  for (const argv of [
    ["--summary", "--records"],
    ["--summary", "--hex"],
    ["--html", "x.html", "--lsn", "1"],
    ["--force"],
  ]) {
    expect((await kayactl(["inspect", "wal", "nowhere", ...argv])).code).toBe(4);
  }
});
