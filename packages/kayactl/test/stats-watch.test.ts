import { spawn } from "node:child_process";
import { appendFile, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { Engine } from "@kaya/engine";
import { encodeRecord } from "@kaya/wal";
import { describe, expect, test, vi } from "vitest";
import { run } from "../src/index.js";
import { DirectoryWatch } from "../src/look/directory-watch.js";
import {
  absentDirectory,
  BIN,
  dataDirectory,
  filledDirectory,
  flipInFile,
  kayactl,
  SEGMENT,
  snapshot,
  VECTOR,
} from "./helpers.js";

vi.setConfig({ testTimeout: 60_000 });

const noop = (lsn: number) => encodeRecord({ lsn, sequence: lsn, payload: { type: "noop" } });
const segmentOf = (data: string) => join(data, "wal", SEGMENT);

/** A watch whose looks are two seconds apart. */
function watchOf(data: string): DirectoryWatch {
  let now = 0;
  return new DirectoryWatch(data, undefined, () => {
    now += 2000;
    return now;
  });
}

describe("a look at a directory", () => {
  test("tells who has it open, where the log ends, and how fast it grows", async () => {
    const data = await absentDirectory();
    const wal = { segmentMaxBytes: 1000, maxRecordBytes: 1000 };
    const engine = await Engine.open({ dataDir: data, tables: { autoFlush: false }, wal });
    const watch = watchOf(data);
    expect(await watch.look()).toStrictEqual({
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      state: "in-use",
      pid: process.pid,
      lastLsn: 0,
      wal: { segments: 0, bytes: 0 },
      tables: { coveredLsn: 0, tables: 0, bytes: 0, levels: [], unnamedFiles: 0 },
      changes: { consumers: 0, keptLogBytes: 0 },
    });
    // The last of them are in space that was made ahead of the log, which is not counted.
    for (let i = 0; i < 10; i++) await engine.put(`${i}`, "x".repeat(150));
    const { wal: size } = engine.stats();
    expect(size.segments).toBe(2);
    expect(await watch.look()).toMatchObject({
      lastLsn: 10,
      wal: { segments: 2, bytes: size.bytes },
      perSecond: { records: 5, walBytes: size.bytes / 2 },
    });
    for (let i = 0; i < 2; i++) await engine.put(`${i}`, "x".repeat(150));
    expect(await watch.look()).toMatchObject({ lastLsn: 12, perSecond: { records: 1, walBytes: 199 } });
    expect(await watch.look()).toMatchObject({ lastLsn: 12, perSecond: { records: 0, walBytes: 0 } });

    const { bytes, entries } = await engine.flush();
    const levels = [{ level: 0, tables: 1, bytes, entries, tombstones: 0 }];
    const tables = { coveredLsn: 12, tables: 1, bytes, levels, unnamedFiles: 0 };
    expect(await watch.look()).toMatchObject({
      lastLsn: 12,
      wal: { segments: 1, bytes: 0 },
      tables,
      perSecond: { records: 0, walBytes: 0 },
    });
    expect(await watchOf(data).look()).toMatchObject({ lastLsn: 12, wal: { bytes: 0 } });
    await engine.put("a", "1");
    expect(await watch.look()).toMatchObject({ lastLsn: 13, tables });
    await engine.close();
    expect(await watch.look()).toMatchObject({ state: "closed", pid: process.pid, lastLsn: 13 });
  });

  test("changes nothing, and needs no LOCK", async () => {
    const data = await dataDirectory(VECTOR);
    const before = await snapshot(data);
    const watch = watchOf(data);
    for (let i = 0; i < 2; i++) expect(await watch.look()).toMatchObject({ state: "unknown", lastLsn: 3 });
    expect(await snapshot(data)).toEqual(before);
  });

  test("reads what was read before no second time", async () => {
    const data = await dataDirectory(VECTOR);
    const watch = watchOf(data);
    expect(await watch.look()).toMatchObject({ lastLsn: 3 });
    await flipInFile(segmentOf(data), 60);
    await appendFile(segmentOf(data), noop(4));
    expect(await watch.look()).toMatchObject({ lastLsn: 4 });
    expect(await watchOf(data).look()).toMatchObject({ lastLsn: 1 }); // up to the damage
  });

  test("waits for the rest of a record that is being written", async () => {
    const data = await dataDirectory(VECTOR);
    const watch = watchOf(data);
    await appendFile(segmentOf(data), noop(4).subarray(0, 25));
    expect(await watch.look()).toMatchObject({ lastLsn: 3 });
    await appendFile(segmentOf(data), noop(4).subarray(25));
    expect(await watch.look()).toMatchObject({ lastLsn: 4 });
  });

  test("begins anew where what it saw was taken back", async () => {
    const data = await dataDirectory(VECTOR);
    const watch = watchOf(data);
    await appendFile(segmentOf(data), noop(4));
    expect(await watch.look()).toMatchObject({ lastLsn: 4 });
    await truncate(segmentOf(data), VECTOR.length);
    expect(await watch.look()).toMatchObject({ lastLsn: 3, perSecond: { records: 0, walBytes: 0 } });
    const long = encodeRecord({
      lsn: 4,
      sequence: 4,
      payload: { type: "put", key: new Uint8Array(1), value: new Uint8Array(300) },
    });
    await appendFile(segmentOf(data), noop(4));
    expect(await watch.look()).toMatchObject({ lastLsn: 4 });
    await truncate(segmentOf(data), VECTOR.length);
    await appendFile(segmentOf(data), Buffer.concat([long, noop(5)]));
    expect(await watch.look()).toMatchObject({ lastLsn: 5 });
  });
});

describe("stats of a directory that is open elsewhere", () => {
  test("tells what its files tell", async () => {
    const data = await filledDirectory(3);
    const engine = await Engine.open({ dataDir: data });
    const { code, stdout, stderr } = await kayactl(["stats", "--data", data]);
    const bytes = (await readFile(segmentOf(data))).length;
    expect(stdout).toBe(
      [
        `state         open in process ${process.pid}`,
        "last LSN      3",
        "log segments  1",
        `log bytes     ${bytes} B`,
        "tables        none",
        "",
      ].join("\n"),
    );
    expect(stderr).toMatch(/^note: .*what it has done since\n$/);
    expect(code).toBe(0);
    const json = await kayactl(["stats", "--json", "--data", data]);
    expect(json).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(json.stdout)).toMatchObject({ state: "in-use", pid: process.pid, lastLsn: 3 });
    await engine.close();
  });
});

/** Runs until so many texts were written, and is interrupted then. */
async function runUntil(texts: number, argv: readonly string[], columns = 0, isTTY = columns > 0) {
  const interruption = new AbortController();
  const written: string[] = [];
  const stdout = Object.assign(
    new Writable({
      decodeStrings: false,
      write(text: string, _encoding, done) {
        written.push(text);
        if (written.length === texts) interruption.abort();
        done();
      },
    }),
    { isTTY, columns },
  );
  const stderr = new Writable({ write: (_chunk, _encoding, done) => done() });
  const code = await run(argv, { stdout, stderr, signal: interruption.signal });
  return { code, written };
}

describe("stats --watch", () => {
  test("gives a line a look, and ends with 0 when it is interrupted", async () => {
    const data = await filledDirectory(3);
    const { code, written } = await runUntil(3, ["stats", "--watch", "0.1", "--data", data]);
    expect(code).toBe(0);
    expect(written).toHaveLength(3);
    const line = `at=\\S+ state=closed pid=${process.pid} lsn=3 segments=1 log_bytes=\\d+ covered_lsn=0 tables=0 table_bytes=0`;
    expect(written[0]).toMatch(new RegExp(`^${line}\n$`));
    expect(written[1]).toMatch(new RegExp(`^${line} records_per_s=0 log_bytes_per_s=0\n$`));
  });

  test("gives a document a look with --json", async () => {
    const data = await filledDirectory(3);
    const { code, written } = await runUntil(2, ["stats", "--watch=0.1", "--json", "--data", data]);
    expect(code).toBe(0);
    expect(written.map((line) => JSON.parse(line))).toMatchObject([
      { state: "closed", lastLsn: 3 },
      { state: "closed", lastLsn: 3, perSecond: { records: 0, walBytes: 0 } },
    ]);
  });

  test("is redrawn in place on a terminal, and no line wraps", async () => {
    const data = await filledDirectory(3);
    const { code, written } = await runUntil(3, ["stats", "--watch", "0.1", "--data", data], 30);
    expect(code).toBe(0);
    const [first = "", second = "", third = ""] = written;
    const lines = (text: string) => text.split("\n").length - 1;
    expect(first).not.toContain("\u001b[A");
    expect(first).toContain("last LSN      3\u001b[K\n");
    expect(second.startsWith(`\u001b[${lines(first)}A`)).toBe(true);
    expect(second).toContain("growth        0 records/s");
    expect(third.startsWith(`\u001b[${lines(second)}A`)).toBe(true);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal obeys takes no room
    const plain = written.join("").replace(/\u001b\[[\d;]*[A-Za-z]/g, "");
    for (const line of plain.split("\n")) expect(line.length).toBeLessThan(30);
  });

  test("has as many columns as COLUMNS says on a terminal that tells none", async () => {
    vi.stubEnv("COLUMNS", "20");
    const data = await filledDirectory(3);
    const { written } = await runUntil(2, ["stats", "--watch", "0.1", "--data", data], 0, true);
    vi.unstubAllEnvs();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal obeys takes no room
    const plain = written.join("").replace(/\u001b\[[\d;]*[A-Za-z]/g, "");
    expect(plain).toContain("last LSN      3\n");
    for (const line of plain.split("\n")) expect(line.length).toBeLessThan(20);
  });

  test.each(["0", "x", "-1", "0.01", "1e9", ""])("%o is no number of seconds", async (seconds) => {
    const { code, stderr } = await kayactl(["stats", `--watch=${seconds}`, "--data", "x"]);
    expect(code).toBe(4);
    expect(stderr).toContain("seconds");
  });

  test("needs a data directory", async () => {
    expect((await kayactl(["stats", "--watch", "--data", await absentDirectory()])).code).toBe(2);
  });

  test("SIGINT ends the program with 0, | head too", async () => {
    const data = await filledDirectory(3);
    const watch = spawn(process.execPath, [BIN, "stats", "--watch", "60", "--data", data]);
    watch.stdout.once("data", () => watch.kill("SIGINT"));
    const code = await new Promise((resolve) => watch.once("close", resolve));
    expect(code).toBe(0);
    const head = spawn(process.execPath, [BIN, "stats", "--watch", "0.1", "--data", data]);
    head.stdout.once("data", () => head.stdout.destroy());
    expect(await new Promise((resolve) => head.once("exit", resolve))).toBe(0);
  });
});
