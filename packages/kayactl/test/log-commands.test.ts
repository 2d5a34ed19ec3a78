import { appendFile, mkdir, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32c } from "@kaya/core";
import { Engine } from "@kaya/engine";
import { inspectWalPath } from "@kaya/wal";
import { describe, expect, test } from "vitest";
import {
  absentDirectory,
  child,
  dataDirectory,
  filledDirectory,
  flipInFile,
  flipped,
  kayactl,
  SEGMENT,
  snapshot,
  temporaryDirectory,
  VECTOR,
} from "./helpers.js";

const VECTOR_ROWS = [
  "offset=0 lsn=1 seq=1 type=PUT key_len=6 value_len=3 checksum=ok key=user:1",
  "offset=57 lsn=2 seq=2 type=DELETE key_len=6 checksum=ok key=user:2",
  "offset=107 lsn=3 seq=3 type=NOOP checksum=ok",
];

// The last byte of the DELETE's key: bytes 97 to 106 are its payload.
const DAMAGED = flipped(VECTOR, 106);
const FOUND = crc32c(DAMAGED.subarray(97, 107)) >>> 0;
const hex = (value: number) => `0x${value.toString(16).padStart(8, "0")}`;
const timeless = (text: string) => text.replace(/(?<=\b(?:in|took) +)[\d.]+ m?s$/gm, "TIME");

describe("inspect wal", () => {
  test("the vector of the format", async () => {
    const data = await dataDirectory(VECTOR);
    const rows = { code: 0, stdout: `${VECTOR_ROWS.join("\n")}\n`, stderr: "" };
    expect(await kayactl(["inspect", "wal", data])).toEqual(rows);
    expect(await kayactl(["inspect", "wal", join(data, "wal")])).toEqual(rows);
    expect(await kayactl(["inspect", "wal", join(data, "wal", SEGMENT)])).toEqual(rows);
  });

  test("the damaged vector", async () => {
    const data = await dataDirectory(DAMAGED);
    expect(await kayactl(["inspect", "wal", data])).toEqual({
      code: 3,
      stdout: [
        VECTOR_ROWS[0],
        `CORRUPTION offset=57 kind=BadPayloadChecksum expected=${hex(FOUND)} actual=0x46ee7741`,
        "CORRUPTION offset=107 kind=ValidRecordsBeyondDamage count=1 firstLsn=3 lastLsn=3",
        "",
      ].join("\n"),
      stderr: "",
    });
  });

  test("--json is a WalInspection", async () => {
    for (const data of [
      await dataDirectory(VECTOR),
      await dataDirectory(DAMAGED),
      await filledDirectory(20, 400),
    ]) {
      const { stdout } = await kayactl(["inspect", "wal", data, "--json"]);
      expect(JSON.parse(stdout)).toEqual(await inspectWalPath(data));
    }
    const { code, stdout } = await kayactl(["inspect", "wal", await dataDirectory(DAMAGED), "--json"]);
    expect(code).toBe(3);
    expect(stdout).toBe(
      `{"segments":[{"segment":"${SEGMENT}","bytes":147,"rows":[` +
        '{"offset":0,"lsn":1,"sequence":1,"type":"PUT","keyLength":6,"valueLength":3,"encodedLength":57}],"warnings":[' +
        `{"kind":"BadPayloadChecksum","offset":57,"expected":${FOUND},"actual":${0x46ee7741}},` +
        '{"kind":"ValidRecordsBeyondDamage","count":1,"firstOffset":107,"firstLsn":3,"lastLsn":3}]}]}\n',
    );
  });

  test("several segments each have a line, and LSNs go on over them", async () => {
    const put = VECTOR.subarray(0, 57);
    const data = await dataDirectory(put, VECTOR.subarray(57), put);
    expect(await kayactl(["inspect", "wal", data])).toEqual({
      code: 3,
      stdout: [
        "segment=0000000000000001.wal bytes=57",
        VECTOR_ROWS[0],
        "segment=0000000000000002.wal bytes=90",
        "offset=0 lsn=2 seq=2 type=DELETE key_len=6 checksum=ok key=user:2",
        "offset=50 lsn=3 seq=3 type=NOOP checksum=ok",
        "segment=0000000000000003.wal bytes=57",
        VECTOR_ROWS[0],
        "CORRUPTION offset=0 kind=NonMonotonicLsn expected=4 found=1",
        "",
      ].join("\n"),
      stderr: "",
    });
  });

  test("never-written space is no damage", async () => {
    const data = await dataDirectory(Buffer.concat([VECTOR, Buffer.alloc(100)]));
    const { code, stdout } = await kayactl(["inspect", "wal", data]);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${VECTOR_ROWS.join("\n")}\nNOTE offset=147 kind=ZeroFilledTail bytes=100\n`,
    });
  });

  test("a directory without a log, and a path where nothing is", async () => {
    const empty = await temporaryDirectory();
    expect(await kayactl(["inspect", "wal", empty])).toEqual({
      code: 0,
      stdout: "",
      stderr: `note: there is no log segment in ${empty}\n`,
    });
    expect((await kayactl(["inspect", "wal", empty, "--json"])).stdout).toBe('{"segments":[]}\n');
    expect((await kayactl(["inspect", "wal", join(empty, "none")])).code).toBe(2);
  });

  test("a record over the limit needs --max-record-bytes", async () => {
    const data = await dataDirectory(VECTOR);
    const argv = ["inspect", "wal", data, "--max-record-bytes"];
    expect((await kayactl([...argv, "56"])).stdout).toMatch(
      /^CORRUPTION offset=0 kind=OversizedPayload found=17 max=16/,
    );
    expect((await kayactl([...argv, "57"])).code).toBe(0);
  });
});

describe("verify", () => {
  test("a whole log", async () => {
    const data = await dataDirectory(VECTOR);
    const { code, stdout, stderr } = await kayactl(["verify", "--data", data]);
    expect({ code, stdout: timeless(stdout), stderr }).toEqual({
      code: 0,
      stdout: [
        `CLEAN ${data}`,
        "records        3",
        "LSN            1 to 3",
        "last sequence  3",
        "segments       1",
        "log bytes      147 B",
        "would be cut   nothing",
        "took           TIME",
        "",
      ].join("\n"),
      stderr: "",
    });
    const json = await kayactl(["verify", "--data", data, "--json"]);
    expect(JSON.parse(json.stdout)).toEqual({
      ok: true,
      action: "none",
      indexes: [],
      damageCount: 0,
      damage: [],
      tree: { tables: 0, blocks: 0, bytes: 0, orphans: [], warnings: [] },
      tables: { covered: { lsn: 0, sequence: 0 }, tables: 0, bytes: 0, warnings: [] },
      coveredSegments: 0,
      recordCount: 3,
      firstLsn: 1,
      lastLsn: 3,
      lastSequence: 3,
      segments: 1,
      validBytes: 147,
      truncatedBytes: 0,
      quarantine: { files: 0, bytes: 0, torn: { files: 0, bytes: 0 } },
      quarantined: [],
      warnings: [],
      dryRun: true,
      durationMs: expect.any(Number),
    });
  });

  test("damage that a recovery would cut and keep", async () => {
    const data = await dataDirectory(DAMAGED);
    const { code, stdout } = await kayactl(["verify", "--data", data]);
    expect(code).toBe(3);
    expect(timeless(stdout)).toBe(
      [
        `DAMAGED ${data}`,
        `  ${SEGMENT}: offset 57: the payload's checksum is wrong (the bytes give ${hex(FOUND)}, the record stores 0x46ee7741)`,
        `  ${SEGMENT}: valid records behind the damage: 1, the first at offset 107 (LSN 3 to 3): ` +
          "unsynced writes that reached the disk out of order, or bit rot",
        "records        1",
        "LSN            1 to 1",
        "last sequence  1",
        "segments       1",
        "log bytes      57 B",
        "would be cut   90 B",
        "took           TIME",
        "A recovery (--recovery tail) would cut 90 B from the end and keep a copy of them in wal/quarantine/.",
        "",
      ].join("\n"),
    );
    const json = await kayactl(["verify", "--data", data, "--json"]);
    expect(json.code).toBe(3);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ok: false,
      action: "cut",
      damageCount: 2,
      damage: [
        { segment: SEGMENT, kind: "BadPayloadChecksum", offset: 57 },
        { kind: "ValidRecordsBeyondDamage" },
      ],
      truncatedBytes: 90,
    });
  });

  test("a torn end", async () => {
    const data = await dataDirectory(VECTOR.subarray(0, 140));
    const { code, stdout } = await kayactl(["verify", "--data", data]);
    expect(code).toBe(3);
    expect(stdout).toContain(`${SEGMENT}: offset 107: the log ends inside a record's header`);
    expect(stdout).toContain("would cut 33 B from the end: an unfinished write");
    expect((await kayactl(["verify", "--data", data, "--recovery", "absolute"])).stdout).toContain(
      "would refuse",
    );
  });

  test("all damage in closed segments, though a recovery refuses at the first", async () => {
    const data = await filledDirectory(20, 400);
    await flipInFile(join(data, "wal", "0000000000000001.wal"), 50);
    await flipInFile(join(data, "wal", "0000000000000003.wal"), 50);
    const { code, stdout, stderr } = await kayactl(["verify", "--data", data]);
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    const damaged = stdout
      .split("\n")
      .filter((line) => line.includes("checksum is wrong") && line.startsWith("  0"));
    expect(damaged.map((line) => line.slice(2, 18))).toEqual(["0000000000000001", "0000000000000003"]);
    expect(stdout).toContain(
      "A recovery (--recovery tail) would refuse:\n  wal/0000000000000001.wal: offset 0",
    );
    const json = JSON.parse((await kayactl(["verify", "--data", data, "--json"])).stdout);
    expect(json).toMatchObject({ ok: false, action: "refuse", code: "KAYA_CORRUPTION", damageCount: 4 });

    const prefix = JSON.parse(
      (await kayactl(["verify", "--data", data, "--json", "--recovery", "prefix"])).stdout,
    );
    expect(prefix).toMatchObject({ ok: false, action: "quarantine", recordCount: 0, damageCount: 4 });
  });

  test("space ahead of the log and a foreign file are no damage, and the space is nothing to tell", async () => {
    const data = await dataDirectory(Buffer.concat([VECTOR, Buffer.alloc(100)]));
    await writeFile(join(data, "wal", "note\u001b[2J.txt"), "mine");
    const { code, stdout } = await kayactl(["verify", "--data", data]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^CLEAN/);
    expect(stdout).not.toContain("zeros");
    expect(stdout).toContain("note: wal/note\\u001b[2J.txt is not a segment: left alone");
    expect(JSON.parse((await kayactl(["verify", "--data", data, "--json"])).stdout)).toMatchObject({
      ok: true,
      action: "none",
    });
  });

  test("an unknown version is no damage, and no success", async () => {
    const bytes = Buffer.from(VECTOR);
    bytes.writeUInt16LE(2, 4);
    bytes.writeUInt32LE(0, 32);
    bytes.writeUInt32LE(crc32c(bytes.subarray(0, 40)) >>> 0, 32);
    const { code, stdout, stderr } = await kayactl(["verify", "--data", await dataDirectory(bytes)]);
    expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
    expect(stderr).toMatch(/^error KAYA_UNSUPPORTED_VERSION: /);
  });
});

describe("recover", () => {
  test("cuts, keeps, and says so", async () => {
    const data = await dataDirectory(DAMAGED);
    const { code, stdout, stderr } = await kayactl(["recover", "--data", data]);
    const [kept] = await readdir(join(data, "wal", "quarantine"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(timeless(stdout)).toBe(
      [
        `Recovered ${data} in TIME`,
        "records        1",
        "LSN            1 to 1",
        "last sequence  1",
        "segments       1",
        "log bytes      57 B",
        "cut            90 B",
        `kept in        wal/quarantine/${kept}`,
        "quarantine     1 file, 90 B, of that no torn ends",
        `warning: offset 57: the payload's checksum is wrong (the bytes give ${hex(FOUND)}, the record stores 0x46ee7741)`,
        "warning: valid records behind the damage: 1, the first at offset 107 (LSN 3 to 3): " +
          "unsynced writes that reached the disk out of order, or bit rot",
        `warning: wal/${SEGMENT}: 90 bytes behind offset 57 are not part of the log`,
        "",
      ].join("\n"),
    );
    expect((await kayactl(["verify", "--data", data])).code).toBe(0);
  });

  test("--json is the report without records", async () => {
    const { stdout } = await kayactl(["recover", "--json", "--data", await dataDirectory(VECTOR)]);
    expect(JSON.parse(stdout)).toEqual({
      tables: { covered: { lsn: 0, sequence: 0 }, tables: 0, bytes: 0, warnings: [] },
      coveredSegments: 0,
      recordCount: 3,
      firstLsn: 1,
      lastLsn: 3,
      lastSequence: 3,
      segments: 1,
      validBytes: 147,
      truncatedBytes: 0,
      quarantine: { files: 0, bytes: 0, torn: { files: 0, bytes: 0 } },
      quarantined: [],
      warnings: [],
      dryRun: false,
      durationMs: expect.any(Number),
    });
  });

  test("--dry-run says what it would do", async () => {
    const { code, stdout } = await kayactl(["recover", "--dry-run", "--data", await dataDirectory(DAMAGED)]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Dry run for .+ in .+ m?s\n/);
    expect(stdout).toContain("would be cut   90 B\n");
    expect(stdout).toMatch(/\nNothing was changed\.\n$/);
  });

  test("damage in the middle: refused, and cut with --recovery prefix", async () => {
    const data = await filledDirectory(20, 400);
    await flipInFile(join(data, "wal", "0000000000000002.wal"), 50);
    const refused = await kayactl(["recover", "--data", data, "--json"]);
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 3, stdout: "" });
    expect(refused.stderr).toMatch(
      /^error KAYA_CORRUPTION: .+\nhint: .+--recovery prefix.+\n\{"ok":false,"code":"KAYA_CORRUPTION",.+\}\n$/,
    );
    expect((await kayactl(["recover", "--data", data, "--recovery", "prefix"])).code).toBe(0);
    expect((await kayactl(["scan", "--data", data])).stdout).toContain("value-0\n");
  });

  test("an empty directory has nothing to recover", async () => {
    const { code, stdout } = await kayactl(["recover", "--data", await temporaryDirectory()]);
    expect(code).toBe(0);
    expect(stdout).toContain("records    0\n");
  });
});

test("what an opening found is told by every command, on standard error", async () => {
  const data = await filledDirectory(3);
  const segment = join(data, "wal", SEGMENT);
  await appendFile(segment, (await readFile(segment)).subarray(0, 22)); // as a crash leaves a record
  const { code, stdout, stderr } = await kayactl(["get", "key-00000", "--data", data]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "value-0\n" });
  expect(stderr).toMatch(
    /^warning: offset 192: the log ends inside a record.*\nwarning: .* are not part of the log\n$/,
  );
  expect((await kayactl(["get", "key-00000", "--data", data])).stderr).toBe(stderr); // looking repairs nothing
  expect((await kayactl(["recover", "--data", data])).code).toBe(0);
  expect((await kayactl(["get", "key-00000", "--data", data])).stderr).toBe("");
});

test("a cleanly closed log that is cut short is refused by every command, and opened with --recovery prefix", async () => {
  const data = await filledDirectory(3);
  await truncate(join(data, "wal", SEGMENT), 150);
  for (const argv of [["get", "key-00000"], ["recover"], ["put", "more", "1"]]) {
    const { code, stdout, stderr } = await kayactl([...argv, "--data", data]);
    expect({ code, stdout }, argv[0]).toEqual({ code: 3, stdout: "" });
    expect(stderr).toMatch(/^error KAYA_CORRUPTION: .+\nhint: /);
  }
  const { stdout } = await kayactl(["verify", "--data", data]);
  expect(stdout).toContain("A recovery (--recovery tail) would refuse:\n");
  expect((await kayactl(["recover", "--recovery", "prefix", "--data", data])).code).toBe(0);
  expect((await kayactl(["scan", "--data", data])).stdout).toBe("key-00000\tvalue-0\nkey-00001\tvalue-1\n");
});

describe("a command that only looks", () => {
  test.each([
    ["verify", (data: string) => ["verify", "--data", data]],
    ["verify --recovery prefix", (data: string) => ["verify", "--recovery", "prefix", "--data", data]],
    ["recover --dry-run", (data: string) => ["recover", "--dry-run", "--recovery", "prefix", "--data", data]],
    ["inspect", (data: string) => ["inspect", "wal", data]],
    ["get", (data: string) => ["get", "key-00000", "--data", data]],
    ["scan", (data: string) => ["scan", "--data", data]],
    ["scan --recovery prefix", (data: string) => ["scan", "--recovery", "prefix", "--data", data]],
    ["stats", (data: string) => ["stats", "--data", data]],
    ["consumers", (data: string) => ["consumers", "--data", data]],
  ])("%s writes nothing", async (_, argv) => {
    const whole = await filledDirectory(20, 400);
    const damaged = await filledDirectory(20, 400);
    await flipInFile(join(damaged, "wal", "0000000000000002.wal"), 50);
    const torn = await dataDirectory(VECTOR.subarray(0, 140));
    const zeros = await dataDirectory(VECTOR);
    await appendFile(join(zeros, "wal", SEGMENT), Buffer.alloc(64));
    const empty = await temporaryDirectory();
    const bare = await temporaryDirectory();
    await mkdir(join(bare, "wal"));
    const killed = await killedDirectory();
    const open = await absentDirectory();
    const writer = await Engine.open({ dataDir: open });
    await writer.put("key-00000", "value");
    for (const data of [whole, damaged, torn, zeros, empty, bare, killed, open]) {
      const before = await snapshot(data);
      expect([0, 2, 3]).toContain((await kayactl(argv(data))).code);
      expect(await snapshot(data)).toEqual(before);
    }
    await writer.close();
  });
});

/** One whose process was killed, with a table, a log behind it, and a consumer. */
async function killedDirectory(): Promise<string> {
  const data = await absentDirectory();
  const script = `
    const { Engine } = await import(${JSON.stringify(new URL("../../engine/dist/index.js", import.meta.url).href)});
    const db = await Engine.open({ dataDir: ${JSON.stringify(data)} });
    await db.addConsumer("index");
    await db.put("key-00000", "value");
    await db.flush();
    await db.put("key-00001", "value");
    process.kill(process.pid, "SIGKILL");`;
  await child(process.execPath, ["--input-type=module", "-e", script]);
  return data;
}
