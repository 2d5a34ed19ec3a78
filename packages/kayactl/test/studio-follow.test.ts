import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, cp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Engine } from "@kaya/engine";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Change, Look, Problem } from "../src/studio/api.js";
import { absentDirectory, filledDirectory, SEGMENT } from "./helpers.js";
import {
  askOpen,
  b64,
  eventsOf,
  eventually,
  readingStudio,
  type SentEvent,
  type Studio,
  text,
  writingStudio,
} from "./studio.js";

const WRITER = fileURLToPath(new URL("studio-writer.mjs", import.meta.url));

/** Events of a stream, until the test ends. */
async function streamOf(studio: Studio, query = ""): Promise<Stream> {
  const response = await askOpen(studio.port, studio.at(`/api/events${query}`), {
    headers: { cookie: studio.cookie },
  });
  return new Stream(response);
}

class Stream {
  readonly #events: AsyncGenerator<SentEvent, void>;
  readonly response: IncomingMessage;
  /** Of those that were read. */
  readonly changes: Change[] = [];
  skipped = 0;

  constructor(response: IncomingMessage) {
    this.response = response;
    this.#events = eventsOf(response);
    onTestFinished(() => void response.destroy());
  }

  /** Reads up to the change of a key. */
  async untilKey(key: string): Promise<void> {
    while (text(this.changes.at(-1)?.key ?? "") !== key) await this.next("change");
  }

  /** The next event of a kind. @throws where the stream ends before */
  async next<T>(wanted: string): Promise<T> {
    for (;;) {
      const { value, done } = await this.#events.next();
      if (done === true) throw new Error("the stream has ended");
      if (value.event === "change") this.changes.push(value.data as Change);
      if (value.event === "skipped") this.skipped += (value.data as { changes: number }).changes;
      if (value.event === wanted) return value.data as T;
    }
  }
}

const namesOf = async (studio: Studio, prefix = "") =>
  (await studio.rows({ prefix: b64(prefix), limit: "1000" })).rows.map(({ key }) => text(key));

describe.each([
  ["that writes itself", true],
  ["beside the process that has the directory open", false],
])("the events of a studio %s", (_, writes) => {
  async function both(): Promise<{ engine: Engine; studio: Studio }> {
    const data = await absentDirectory();
    const engine = await Engine.open({ dataDir: data });
    await engine.put("before", "1");
    const studio = writes ? await writingStudio(data, engine) : await readingStudio(data);
    if (!writes) onTestFinished(() => engine.close());
    return { engine, studio };
  }

  test("tell each change, once reads show it, and none from before", async () => {
    const { engine, studio } = await both();
    expect(await namesOf(studio)).toEqual(["before"]);
    await engine.put("unread", "1");
    const stream = await streamOf(studio);
    await stream.next<Look>("look");
    const value = Buffer.alloc(1000, "v");
    await engine.put(Buffer.from([0xff, 1]), value);
    await engine.batch([
      { type: "delete", key: "before" },
      { type: "put", key: "b", value: "" },
      { type: "clear", range: { gte: "x", lt: "y" } },
      { type: "clear", range: { gte: "z" } },
    ]);
    while (stream.changes.filter(({ kind }) => kind === "deleteRange").length < 2)
      await stream.next("change");
    expect(await namesOf(studio)).not.toContain("before");
    const told = stream.changes;
    const lsn = told[0]?.lsn ?? 0;
    expect(told).toStrictEqual([
      {
        lsn,
        at: expect.any(Number),
        kind: "put",
        key: "_wE",
        length: 1000,
        head: b64(value.subarray(0, 256)),
      },
      { lsn: lsn + 1, at: expect.any(Number), kind: "delete", key: b64("before") },
      { lsn: lsn + 1, at: expect.any(Number), kind: "put", key: b64("b"), length: 0, head: "" },
      { lsn: lsn + 1, at: expect.any(Number), kind: "deleteRange", key: b64("x"), end: b64("y") },
      { lsn: lsn + 1, at: expect.any(Number), kind: "deleteRange", key: b64("z") },
    ]);
    expect(stream.skipped).toBe(0);
  });

  test("tell a page the changes of its prefix alone", async () => {
    const { engine, studio } = await both();
    const stream = await streamOf(studio, `?prefix=${b64("user:")}`);
    await stream.next<Look>("look");
    await engine.put("users", "1");
    await engine.put("user", "1");
    await engine.clear({ lt: "user:" });
    await engine.clear({ gte: "user;" });
    await engine.clear({ gte: "a", lt: "user:1" });
    await engine.put("user:9", "1");
    await stream.untilKey("user:9");
    expect(stream.changes.map(({ kind, key }) => `${kind} ${text(key)}`)).toEqual([
      "deleteRange a",
      "put user:9",
    ]);
  });

  test("look at the store again and again", async () => {
    const { engine, studio } = await both();
    const stream = await streamOf(studio);
    expect(await stream.next<Look>("look")).toMatchObject({
      at: expect.any(Number),
      entries: 1,
      lastLsn: 1,
      log: { segments: 1, coveredLsn: 0 },
      levels: [],
      memtable: { limitBytes: 64 * 1024 * 1024, entries: 1 },
      flush: { isRunning: false, finished: 0 },
    });
    for (let i = 0; i < 9; i++) await engine.put(`${i}`, "1");
    await engine.flush();
    await studio.get(`/api/value?key=${b64("1")}`);
    let look = await stream.next<Look>("look");
    while (look.levels.length === 0 || look.latency.get === undefined) look = await stream.next<Look>("look");
    expect(look).toMatchObject({
      entries: 10,
      lastLsn: 10,
      log: { coveredLsn: 10, recordsPerSecond: expect.any(Number), bytesPerSecond: expect.any(Number) },
      levels: [{ tables: 1, entries: 10, bytes: expect.any(Number) }],
      latency: { get: { count: 1, max: expect.any(Number) } },
    });
    expect(look.latency.fsync === undefined).toBe(!writes);
    expect(look.flush.finished).toBe(writes ? 1 : 0);
  });

  test("of a page that reads nothing take little memory, and it hears how many were left out", async () => {
    const { engine, studio } = await both();
    const quick = await streamOf(studio);
    await quick.next("look");
    const slow = await streamOf(studio);
    await slow.next("look");
    slow.response.pause();
    const count = 20_000;
    for (let i = 0; i < count; i += 2000) {
      await engine.batch(
        Array.from({ length: 2000 }, (_, j) => ({ type: "put", key: `${i + j}`, value: "v".repeat(300) })),
      );
    }
    await engine.put("last", "1");
    await quick.untilKey("last");
    slow.response.resume();
    await slow.untilKey("last");
    for (const { skipped, changes } of [quick, slow]) {
      expect(skipped).toBeGreaterThan(count / 2);
      expect(skipped + changes.length).toBe(count + 1);
    }
  });

  test("end with the studio, and keep it from ending no longer than that", async () => {
    const { studio } = await both();
    const streams = await Promise.all([streamOf(studio), streamOf(studio), streamOf(studio)]);
    for (const stream of streams) await stream.next("look");
    await studio.close();
    for (const stream of streams) await expect(stream.next("nothing")).rejects.toThrow();
  });

  test("are so many at most", async () => {
    const { studio } = await both();
    const streams: Stream[] = [];
    for (let i = 0; i < 16; i++) streams.push(await streamOf(studio));
    for (const stream of streams) await stream.next("look");
    expect((await studio.get("/api/events")).status).toBe(503);
    streams[0]?.response.destroy();
    await eventually(async () => {
      const response = await askOpen(studio.port, studio.at("/api/events"), {
        headers: { cookie: studio.cookie },
      });
      response.destroy();
      expect(response.statusCode).toBe(200);
    });
    await studio.close();
  });
});

/** What came between two looks at another directory is not told: writes until something is. */
async function untilTold(engine: Engine, stream: Stream): Promise<void> {
  let isTold = false;
  const told = stream.next("change").then(() => {
    isTold = true;
  });
  let last = "";
  for (let i = 0; !isTold; i++) {
    last = `sign${i}`;
    await engine.put(last, "1");
    await Promise.race([told, new Promise((resolve) => setTimeout(resolve, 50))]);
  }
  await stream.untilKey(last);
}

describe("a studio that reads", () => {
  test("shows what another process writes, flushes and compacts, and goes on when it ends and another one begins", async () => {
    const data = await absentDirectory();
    await (await Engine.open({ dataDir: data })).close();
    const studio = await readingStudio(data);
    const stream = await streamOf(studio);
    await stream.next("look");
    for (let round = 1; round <= 2; round++) {
      const writer = spawn(process.execPath, [WRITER, data, `${round}`], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      onTestFinished(() => void writer.kill("SIGKILL"));
      const lines = createInterface(writer.stdout)[Symbol.asyncIterator]();
      expect((await lines.next()).value).toBe("writing");
      let reads = 0;
      let isDone = false;
      const done = lines.next().then(({ value }) => {
        isDone = true;
        return value;
      });
      // Each key has one value for ever, and they are written in order: what is shown has no gap.
      while (!isDone) {
        const names = await namesOf(studio, `${round}:`);
        expect(names).toEqual(names.map((_, i) => `${round}:${String(i).padStart(6, "0")}`));
        reads++;
      }
      expect(reads).toBeGreaterThan(0);
      const count = Number((await done)?.replace("wrote ", ""));
      const last = `${round}:${String(count - 1).padStart(6, "0")}`;
      await eventually(async () =>
        expect((await studio.get(`/api/value?key=${b64(last)}`)).status).toBe(200),
      );
      await stream.untilKey(last);
      if (round === 1) writer.stdin.end("close\n");
      else writer.kill("SIGKILL");
      await once(writer, "exit");
      expect(await namesOf(studio, `${round}:${String(count - 1).padStart(6, "0")}`)).toEqual([last]);
    }
    const engine = await Engine.open({ dataDir: data });
    await engine.put("third", "1");
    await eventually(async () => expect(await namesOf(studio, "third")).toEqual(["third"]));
    await engine.close();
  });

  test("shows what a recovery left, where it cut what was shown", async () => {
    const data = await filledDirectory(3);
    const path = join(data, "wal", SEGMENT);
    const studio = await readingStudio(data);
    expect(await namesOf(studio)).toHaveLength(3);
    const stream = await streamOf(studio);
    await stream.next("look");
    const { length } = await readFile(path);
    await truncate(path, length - 1);
    await rm(join(data, "LOCK")); // as after a crash: nothing says that the log was closed
    await (await Engine.open({ dataDir: data })).close();
    await eventually(async () => expect(await namesOf(studio)).toEqual(["key-00000", "key-00001"]));
    // A page that shows more than that has to ask again.
    await stream.next("skipped");
    const engine = await Engine.open({ dataDir: data });
    await engine.put("new", "1");
    await engine.close();
    await eventually(async () => expect(await namesOf(studio)).toEqual(["key-00000", "key-00001", "new"]));
  });

  test("shows another directory that took the place of this one", async () => {
    const [data, other] = [await filledDirectory(3), await filledDirectory(1)];
    const studio = await readingStudio(data);
    expect(await namesOf(studio)).toHaveLength(3);
    const stream = await streamOf(studio);
    await stream.next("look");
    await rename(data, `${data}.old`);
    await cp(other, data, { recursive: true });
    await eventually(async () => expect(await namesOf(studio)).toEqual(["key-00000"]));
    const engine = await Engine.open({ dataDir: data });
    await untilTold(engine, stream);
    await engine.flush();
    await engine.close();
    await eventually(async () => expect(await namesOf(studio)).toContain("sign0"));
  });

  test("tells that the directory failed, also in the streams, and goes on once it is mended", async () => {
    const data = await absentDirectory();
    const engine = await Engine.open({ dataDir: data });
    await engine.put("a", "1");
    await engine.flush();
    await engine.close();
    const studio = await readingStudio(data);
    expect(await namesOf(studio)).toEqual(["a"]);
    const stream = await streamOf(studio);
    await stream.next("look");
    const [manifest = ""] = await readdir(join(data, "manifest"));
    const path = join(data, "manifest", manifest);
    const bytes = await readFile(path);
    await writeFile(
      path,
      Buffer.concat([
        bytes.subarray(0, 20),
        Buffer.from("damaged!"),
        bytes.subarray(28),
        Buffer.alloc(99, 1),
      ]),
    );
    await eventually(async () => {
      const { status, body } = await studio.get("/api/rows");
      expect(status).toBe(500);
      expect(JSON.parse(body.toString())).toMatchObject({
        code: "KAYA_CORRUPTION",
        message: expect.stringContaining(manifest),
      });
    });
    expect(await stream.next<Problem>("problem")).toMatchObject({ code: "KAYA_CORRUPTION" });
    await expect(stream.next("look")).rejects.toThrow();
    await writeFile(path, bytes);
    await eventually(async () => expect(await namesOf(studio)).toEqual(["a"]));
    await (await streamOf(studio)).next("look");
    await rm(data, { recursive: true });
    await eventually(async () => expect((await studio.get("/api/rows")).status).not.toBe(200));
  });

  test("shows a directory that nobody ever wrote to, and what comes into it", async () => {
    const data = await filledDirectory(0);
    await rm(data, { recursive: true });
    const engine = await Engine.open({ dataDir: data });
    const studio = await readingStudio(data);
    const stream = await streamOf(studio);
    expect((await stream.next<Look>("look")).lastLsn).toBe(0);
    expect(await namesOf(studio)).toEqual([]);
    await engine.put("first", "1");
    await stream.untilKey("first");
    expect(await namesOf(studio)).toEqual(["first"]);
    await engine.close();
  });

  test("passes over the beginning of a record that is being written", async () => {
    const data = await filledDirectory(2);
    const path = join(data, "wal", SEGMENT);
    const bytes = await readFile(path);
    const other = await filledDirectory(3);
    const more = (await readFile(join(other, "wal", SEGMENT))).subarray(bytes.length);
    const studio = await readingStudio(data);
    await appendFile(path, more.subarray(0, 30));
    expect(await namesOf(studio)).toHaveLength(2);
    await appendFile(path, more.subarray(30));
    await eventually(async () => expect(await namesOf(studio)).toHaveLength(3));
  });
});
