import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { Script } from "node:vm";
import { gunzipSync } from "node:zlib";
import { encodeRecord, inspectWalPath, locateSegments, type WalPayload } from "@kaya/wal";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RecordFilter } from "../src/inspect/record-filter.js";
import { type CollectedPage, collectPage } from "../src/log-page/make-page.js";
import { readOperations } from "../src/page/batch-operations.js";
import { bytesFrom, placeOfLsn, readSegments } from "../src/page/log-model.js";
import { type PageRow, RECORD_TYPES } from "../src/page/page-data.js";
import { decodeRows, RowEncoder } from "../src/page/row-codec.js";
import { Output } from "../src/terminal/output.js";
import {
  dataDirectory,
  filledDirectory,
  flipInFile,
  flipped,
  kayactl,
  SEGMENT,
  Sink,
  snapshot,
  temporaryDirectory,
  VECTOR,
} from "./helpers.js";
import { type ReadPage, readPage, rowsOf } from "./page-reader.js";

async function makePage(path: string): Promise<ReadPage & { html: string; code: number | null }> {
  const file = join(await temporaryDirectory(), "log.html");
  const { code, stderr } = await kayactl(["inspect", "wal", path, "--html", file]);
  expect(stderr).toBe("");
  const html = await readFile(file, "utf8");
  return { html, code, ...readPage(html) };
}

const text = (value: string) => Buffer.from(value);
const record = (lsn: number, sequence: number, payload: WalPayload) =>
  encodeRecord({ lsn, sequence, payload });

const MIXED = Buffer.concat([
  record(1, 1, { type: "put", key: text("k"), value: Buffer.alloc(300) }),
  record(2, 2, {
    type: "batch",
    operations: [
      { type: "put", key: text("a"), value: text("b") },
      { type: "delete", key: text("c") },
    ],
  }),
  record(3, 4, { type: "delete", key: text("k") }),
  record(9, 70_000, { type: "noop" }),
  record(10, 70_001, { type: "put", key: text("e"), value: text("f"), expiresAt: 1_767_225_600_000 }),
  record(11, 70_002, { type: "put", key: Buffer.alloc(0), value: Buffer.alloc(0) }),
]);

describe("the records in the page", () => {
  test("are those of inspectWalPath", async () => {
    for (const path of [
      await dataDirectory(VECTOR),
      await dataDirectory(flipped(VECTOR, 106)),
      await dataDirectory(MIXED),
      await dataDirectory(VECTOR.subarray(0, 57), VECTOR.subarray(57, 140)),
      await filledDirectory(2000, 9000),
    ]) {
      const { segments } = await inspectWalPath(path);
      const page = await makePage(path);
      expect(page.data.groupSize).toBe(1);
      expect(page.segments.map(({ name, bytes }) => ({ name, bytes }))).toEqual(
        segments.map(({ segment: name, bytes }) => ({ name, bytes })),
      );
      expect(page.segments.map(rowsOf)).toEqual(segments.map(({ rows }) => rows));
    }
  });

  test("come back from their encoding whatever they are", () => {
    const whole = fc.nat({ max: 2 ** 53 - 1 });
    const length = fc.nat({ max: 2 ** 31 });
    const anyRow = fc
      .record({ lsn: whole, sequence: whole, keyLength: length, valueLength: length })
      .chain(({ keyLength, valueLength, ...numbers }) =>
        fc.constantFrom(
          {
            ...numbers,
            type: "PUT" as const,
            keyLength,
            valueLength,
            encodedLength: 48 + keyLength + valueLength,
          },
          {
            ...numbers,
            type: "PUT_EXPIRING" as const,
            keyLength,
            valueLength,
            expiresAt: numbers.lsn,
            encodedLength: 56 + keyLength + valueLength,
          },
          { ...numbers, type: "DELETE" as const, keyLength, encodedLength: 44 + keyLength },
          { ...numbers, type: "NOOP" as const, encodedLength: 40 },
          {
            ...numbers,
            type: "DELETE_RANGE" as const,
            startLength: keyLength,
            ...(valueLength > 0 && { endLength: valueLength }),
            encodedLength: 48 + keyLength + valueLength,
          },
          { ...numbers, type: "BATCH" as const, operations: keyLength, encodedLength: 44 + valueLength },
        ),
      );
    fc.assert(
      fc.property(fc.array(anyRow), (rows) => {
        let offset = 0;
        const encoder = new RowEncoder();
        const expected: PageRow[] = rows.map((row) => {
          const whole = { offset, ...row };
          encoder.add(whole);
          offset += row.encodedLength;
          return whole;
        });
        const decoded = decodeRows(encoder.end().bytes, rows.length);
        expect(rows.map((_, index) => decoded.rowAt(index))).toEqual(expected);
      }),
    );
  });

  test("are found by LSN", async () => {
    const { segments } = await makePage(await filledDirectory(500, 9000));
    for (const lsn of [1, 2, 250, 499, 500]) {
      const place = placeOfLsn(segments, lsn);
      expect(place?.segment.rows.rowAt(place.item)?.lsn).toBe(lsn);
    }
    expect(placeOfLsn(segments, 501)).toBeUndefined();
    expect(placeOfLsn(segments, 0)).toBeUndefined();
  });

  test("are counted by size", async () => {
    const { data } = await makePage(await dataDirectory(MIXED));
    const { segments } = await inspectWalPath(await dataDirectory(MIXED));
    const expected = RECORD_TYPES.map(() => new Array<number>(33).fill(0));
    for (const { type, encodedLength } of segments[0]?.rows ?? []) {
      const sizes = expected[RECORD_TYPES.indexOf(type)] ?? [];
      const power = encodedLength.toString(2).length - 1;
      sizes[power] = (sizes[power] ?? 0) + 1;
    }
    expect(data.sizes).toEqual(expected);
  });
});

test("the operations of a batch are read to the last one, however short its key is", () => {
  const key = (text: string) => new TextEncoder().encode(text);
  const operations = [
    { type: "put", key: key("a"), value: key("1") },
    { type: "deleteRange", start: key("b"), end: key("c") },
    { type: "delete", key: key("d") },
    { type: "delete", key: new Uint8Array() },
  ] as const;
  const payload = encodeRecord({ lsn: 1, sequence: 1, payload: { type: "batch", operations } }).subarray(40);
  expect(readOperations(payload, 9).map(({ kind }) => kind)).toEqual([
    "PUT",
    "DELETE_RANGE",
    "DELETE",
    "DELETE",
  ]);
  for (let length = 0; length < payload.length; length++)
    expect(readOperations(payload.subarray(0, length), 9).length).toBeLessThan(4);
});

test("a segment with one record says so", async () => {
  const { html } = await makePage(await filledDirectory(1));
  expect(html).toContain(" 1 record, ");
});

describe("too many records for a page", () => {
  async function collect(path: string, mostItems: number): Promise<CollectedPage> {
    const io = { stdout: new Sink(), stderr: new Sink() };
    const options = { data: path, durability: "strict", recovery: "tail", lock: true, color: true } as const;
    const context = {
      io,
      out: new Output(io.stdout),
      err: new Output(io.stderr),
      options,
      run: async () => 0,
    };
    const locations = await locateSegments(path);
    const filter = new RecordFilter(undefined, undefined);
    return collectPage(context, { locations, tables: undefined, filter }, path, mostItems);
  }

  test("stand together in groups, and nothing is lost of their sums", async () => {
    const path = await filledDirectory(2000, 9000);
    const one = await collect(path, 2000);
    expect(one.data.groupSize).toBe(1);
    const many = await collect(path, 100);
    expect(many.data.groupSize).toBe(20);
    expect(many.data.sizes).toEqual(one.data.sizes);
    const segments = readSegments(many.data, gunzipSync(many.block));
    const { segments: inspected } = await inspectWalPath(path);
    for (const [index, { rows: groups, counts }] of segments.entries()) {
      const rows = inspected[index]?.rows ?? [];
      expect(groups.length).toBe(Math.ceil(rows.length / 20));
      expect([...groups.lsns]).toEqual(rows.filter((_, at) => at % 20 === 0).map(({ lsn }) => lsn));
      expect([...groups.offsets].slice(0, -1)).toEqual(
        rows.filter((_, at) => at % 20 === 0).map(({ offset }) => offset),
      );
      expect(groups.offsets[groups.length]).toBe(many.data.segments[index]?.bytes);
      expect(counts).toEqual([rows.length, 0, 0, 0, 0, 0]);
      expect(groups.rowAt(0)).toBeUndefined();
    }
    const place = placeOfLsn(segments, 1234);
    expect(place?.segment.rows.lsns[place.item]).toBeLessThanOrEqual(1234);
    expect(place?.segment.rows.lsns[place.item]).toBeGreaterThan(1214);
  });
});

describe("the bytes in the page", () => {
  test("are all of a small log", async () => {
    const path = await filledDirectory(300, 9000);
    const page = await makePage(path);
    for (const segment of page.segments) {
      const bytes = await readFile(join(path, "wal", segment.name));
      expect(Buffer.compare(bytesFrom(segment, 0, segment.bytes), bytes)).toBe(0);
    }
    expect(page.html).toContain("So are all bytes.");
  });

  test("are those around damage and the ends of a large one", async () => {
    const value = Buffer.alloc(10_000, "v");
    const log = Buffer.concat(
      Array.from({ length: 200 }, (_, index) =>
        record(index + 1, index + 1, { type: "put", key: text("k"), value }),
      ),
    );
    const damagedAt = 1_004_900; // the record 100 begins there
    const path = await dataDirectory(flipped(log, damagedAt + 5000));
    const { segments, data, html } = await makePage(path);
    const [segment] = segments;
    if (segment === undefined) throw new Error("the page has no segment");
    const bytes = await readFile(join(path, "wal", SEGMENT));
    expect(data.findings[0]).toMatchObject({ segment: 0, offset: damagedAt });
    for (const { offset, length } of data.excerpts) {
      expect(
        Buffer.compare(bytesFrom(segment, offset, length), bytes.subarray(offset, offset + length)),
      ).toBe(0);
    }
    const has = (offset: number) =>
      data.excerpts.some((each) => each.offset <= offset && offset < each.offset + each.length);
    expect([0, damagedAt - 4000, damagedAt + 8000, log.length - 1].map(has)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(has(600_000)).toBe(false);
    expect(html).toMatch(/Of the files' 1\.9 MiB it has 533\.8 KiB to show in hex/);
  });
});

describe("what is wrong", () => {
  test("is drawn from its first byte to the end of the segment", async () => {
    const { data, code, html } = await makePage(await dataDirectory(flipped(VECTOR, 106)));
    expect(code).toBe(3);
    expect(data.segments[0]?.ranges).toEqual([
      { kind: "damage", from: 57, to: 107, text: expect.stringContaining("checksum is wrong") },
      {
        kind: "cut",
        from: 107,
        to: 147,
        text: expect.stringContaining("valid records behind the damage: 1"),
      },
    ]);
    expect(html).toContain("Damaged</p>");
    expect(html).toContain("the payload's checksum is wrong");
  });

  test("of a damaged record with nothing valid behind it ends where its header says", async () => {
    const bytes = Buffer.concat([flipped(VECTOR.subarray(0, 57), 50), Buffer.from("not a record")]);
    const { data } = await makePage(await dataDirectory(bytes));
    expect(data.segments[0]?.ranges).toMatchObject([
      { kind: "damage", from: 0, to: 57 },
      { kind: "cut", from: 57, to: 69 },
    ]);
  });

  test("a torn end, never-written space, an LSN that does not follow", async () => {
    const torn = await makePage(await dataDirectory(VECTOR.subarray(0, 140)));
    expect(torn.data.segments[0]?.ranges).toMatchObject([{ kind: "torn", from: 107, to: 140 }]);
    expect(torn.html).toContain(
      "a crash's unfinished write: the next opening cuts it (33 B from offset 107)",
    );
    expect(torn.html).toContain("Unfinished write</p>");
    expect(torn.html).not.toContain("Damaged");
    const zeros = await makePage(await dataDirectory(Buffer.concat([VECTOR, Buffer.alloc(100)])));
    expect(zeros.code).toBe(0);
    expect(zeros.data.segments[0]?.ranges).toMatchObject([{ kind: "zeros", from: 147, to: 247 }]);
    expect(zeros.html).toContain("No damage</p>");
    expect(zeros.data.notes).toEqual([expect.stringContaining("only zeros follow")]);
    const gap = await makePage(await dataDirectory(MIXED));
    expect(gap.code).toBe(3);
    expect(gap.data.segments[0]).toMatchObject({ ranges: [], gaps: [455] });
  });

  test("an unfinished end is damage where an opening would refuse it", async () => {
    // A clean close marks the end of the log: what is missing before it was there.
    const closed = await filledDirectory(20);
    const segment = join(closed, "wal", SEGMENT);
    await truncate(segment, (await stat(segment)).size - 5);
    // It is not the last segment: a crash leaves none such.
    const inside = await dataDirectory(VECTOR.subarray(0, 140), VECTOR);
    // A file alone is no log that an opening reads.
    const alone = join(await temporaryDirectory(), SEGMENT);
    await writeFile(alone, VECTOR.subarray(0, 140));
    for (const path of [closed, inside, alone]) {
      const { data, html } = await makePage(path);
      expect(data.segments[0]?.ranges[0]?.kind).toBe("damage");
      expect(html).toContain("Damaged</p>");
    }
  });

  test("nothing at all is said plainly", async () => {
    const file = join(await temporaryDirectory(), "log.html");
    const { code } = await kayactl(["inspect", "wal", await temporaryDirectory(), "--html", file]);
    expect(code).toBe(0);
    expect(await readFile(file, "utf8")).toContain("There is no log segment here");
  });
});

describe("the page", () => {
  test("lets nothing of the log or of its path become part of it", async () => {
    const evil = `</script><script>alert("1")</script><img src=x onerror=alert(1)>&\u2028'`;
    const whole = Buffer.concat([record(1, 1, { type: "put", key: text(evil), value: text(evil) })]);
    const path = join(await temporaryDirectory(), `<b title="x">&amp;\u202e`);
    await rename(await dataDirectory(whole), path);
    const name = `<img src=x onerror=alert(2)>.wal`;
    await copyFile(join(path, "wal", SEGMENT), join(path, name));
    for (const each of [path, join(path, name)]) {
      const { html, data } = await makePage(each);
      expect(html.match(/<script/g)).toHaveLength(3);
      expect(html.match(/<\/script/g)).toHaveLength(3);
      expect(html).not.toMatch(/<img|<b[ >]|\u2028|\u202e/);
      expect(data.path).toBe(each);
    }
  });

  test("forbids all but its own script and style", async () => {
    const { html } = await makePage(await dataDirectory(VECTOR));
    const hash = (inline = "") => `'sha256-${createHash("sha256").update(inline).digest("base64")}'`;
    const style = hash(/<style>([\s\S]*?)<\/style>/.exec(html)?.[1]);
    const script = hash(/<script type="module">([\s\S]*?)<\/script>/.exec(html)?.[1]);
    expect(html).toContain(
      `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src ${script}; style-src ${style}; `,
    );
    expect(html).not.toMatch(/ style="| on[a-z]+="/);
    expect(html.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:/);
  });

  test("has its modules in one scope, each name once", async () => {
    const { html } = await makePage(await dataDirectory(VECTOR));
    const script = /<script type="module">([\s\S]*?)<\/script>/.exec(html)?.[1] ?? "";
    expect(script).not.toMatch(/^(import|export) /m);
    // In a block of strict code a name that is declared twice is an error, as it is in a module.
    expect(() => new Script(`"use strict"; {${script}}`)).not.toThrow();
  });
});

describe("the file", () => {
  test("is told, and is the only thing written", async () => {
    const path = await filledDirectory(20, 400);
    const before = await snapshot(path);
    const directory = await temporaryDirectory();
    const file = join(directory, "log.html");
    const { stdout } = await kayactl(["inspect", "wal", path, "--html", file]);
    const { size } = await stat(file);
    const { segments } = await inspectWalPath(path);
    expect(stdout).toBe(`OK page=${file} segments=${segments.length} records=20 findings=0 bytes=${size}\n`);
    const json = JSON.parse((await kayactl(["inspect", "wal", path, "--html", file, "--json"])).stdout);
    expect(json).toEqual({
      ok: true,
      page: file,
      segments: segments.length,
      records: 20,
      findings: 0,
      bytes: expect.any(Number),
      groupSize: 1,
    });
    expect(await snapshot(path)).toEqual(before);
    expect(await readdir(directory)).toEqual(["log.html"]);
  });

  test("is replaced where it is such a page, any other only with --force", async () => {
    const path = await dataDirectory(VECTOR);
    const file = join(await temporaryDirectory(), "mine.html");
    await writeFile(file, "mine");
    const argv = ["inspect", "wal", path, "--html", file];
    const refused = await kayactl(argv);
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain("no page that kayactl wrote");
    expect(await readFile(file, "utf8")).toBe("mine");
    expect((await kayactl([...argv, "--force"])).code).toBe(0);
    await flipInFile(join(path, "wal", SEGMENT), 106);
    expect((await kayactl(argv)).code).toBe(3);
    expect(readPage(await readFile(file, "utf8")).data.findings).toHaveLength(2);
  });

  test("takes the place of no device, no FIFO and no link that leads nowhere, with --force neither", async () => {
    const path = await dataDirectory(VECTOR);
    const directory = await temporaryDirectory();
    execFileSync("mkfifo", [join(directory, "fifo")]);
    await symlink("/dev/null", join(directory, "device"));
    await symlink(join(directory, "nothing"), join(directory, "dangling"));
    for (const name of ["fifo", "device", "dangling"]) {
      const { code, stderr } = await kayactl([
        "inspect",
        "wal",
        path,
        "--html",
        join(directory, name),
        "--force",
      ]);
      expect([name, code, stderr]).toEqual([name, 4, expect.stringContaining("give another name")]);
    }
    expect((await readdir(directory)).sort()).toEqual(["dangling", "device", "fifo"]);
  });

  test("is never a segment that is looked at", async () => {
    const path = await dataDirectory(VECTOR);
    const segment = join(path, "wal", SEGMENT);
    const { code } = await kayactl(["inspect", "wal", path, "--html", segment, "--force"]);
    expect(code).toBe(4);
    expect(await readFile(segment)).toEqual(VECTOR);
  });

  test("that cannot be written leaves nothing behind", async () => {
    const path = await dataDirectory(VECTOR);
    const directory = await temporaryDirectory();
    await mkdir(join(directory, "log.html"));
    const { code } = await kayactl([
      "inspect",
      "wal",
      path,
      "--html",
      join(directory, "log.html"),
      "--force",
    ]);
    expect(code).toBe(4);
    expect(await readdir(directory)).toEqual(["log.html"]);
    const absent = await kayactl(["inspect", "wal", path, "--html", join(directory, "none", "log.html")]);
    expect({ code: absent.code, hasCode: absent.stderr.includes("ENOENT") }).toEqual({
      code: 1,
      hasCode: true,
    });
  });
});

describe("a file of a data directory", () => {
  test("is never written over, with --force and by whatever links", async () => {
    const data = await filledDirectory(3);
    const other = await filledDirectory(3);
    await kayactl(["flush", "--data", other]);
    await kayactl(["put", "more", "1", "--data", other]);
    const [manifest = ""] = await readdir(join(other, "manifest"));
    const [table = ""] = await readdir(join(other, "sst"));
    const [segment = ""] = await readdir(join(other, "wal"));
    await writeFile(join(other, "consumers"), "whoever");
    const links = await temporaryDirectory();
    await symlink(other, join(links, "dir"));
    await symlink(join(other, "LOCK"), join(links, "page.html"));
    const targets = [
      join(data, "LOCK"),
      join(other, "LOCK"),
      join(other, "consumers"),
      join(other, "manifest", manifest),
      join(other, "sst", table),
      join(other, "sst", `${table}.tmp`),
      join(other, "wal", segment),
      join(other, "wal/00000000000000ff.wal"), // one that is not there would be taken for one of the log
      join(other, "wal/log-id"),
      join(links, "dir/LOCK"),
      join(links, "page.html"),
    ];
    const before = await snapshot(other);
    for (const target of targets) {
      const { code, stderr } = await kayactl(["inspect", "wal", data, "--html", target, "--force"]);
      expect([target, code]).toEqual([target, 4]);
      expect(stderr).toMatch(/--html would write/);
    }
    expect(await snapshot(other)).toEqual(before);
    const page = join(other, "page.html"); // it is nobody's file there
    expect((await kayactl(["inspect", "wal", data, "--html", page])).code).toBe(0);
  });
});
