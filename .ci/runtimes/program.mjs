// Runs in each runtime, on the built packages. Arguments: an empty directory, a directory whose writer was killed, and how many puts that one had acknowledged.
import assert from "node:assert/strict";
import { subscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Engine } from "../../packages/engine/dist/index.js";

const [work, killed, acknowledged] = process.argv.slice(2);
const dataDir = join(work, "data");
const PUTS = 2000;

let fsyncs = 0;
subscribe("kaya:wal:fsync", () => fsyncs++);

const text = (bytes) => Buffer.from(bytes).toString();
const conflict = { code: "KAYA_LOCK_CONFLICT" };

/** Another thread that opens a directory. Its first message is "open", or the code of the error. */
async function openInThread(directory) {
  const worker = new Worker(new URL("../../packages/engine/test/support/thread.mjs", import.meta.url), {
    workerData: directory,
  });
  const [answer] = await once(worker, "message");
  return { worker, answer };
}

const CHECKS = {
  "recovery after kill -9": async () => {
    const db = await Engine.open({ dataDir: killed });
    for (let i = 0; i < Number(acknowledged); i++) assert.equal(text(await db.get(`k${i}`)), `${i}`);
    await db.close();
  },
  "durable puts, checkpoint, reopening": async () => {
    let db = await Engine.open({ dataDir });
    await Promise.all(Array.from({ length: PUTS }, (_, i) => db.put(`k${i}`, `${i}`)));
    db.putSync("sync", "now");
    assert.ok(fsyncs > 1, `${fsyncs} fsyncs were reported`);
    await db.flush();
    await db.put("after", "the checkpoint");
    await db.close();
    db = await Engine.open({ dataDir });
    assert.equal(await db.count(), PUTS + 2);
    assert.equal(text(await db.get("k1999")), "1999");
    assert.equal(text(db.getSync("sync")), "now");
    await db.close();
  },
  "lock conflict in one process": async () => {
    const db = await Engine.open({ dataDir });
    await assert.rejects(Engine.open({ dataDir }), conflict);
    const { worker, answer } = await openInThread(dataDir);
    assert.equal(answer, conflict.code);
    await worker.terminate();
    await db.close();
  },
  "an engine in a worker thread": async () => {
    const directory = join(work, "thread");
    const { worker, answer } = await openInThread(directory);
    assert.equal(answer, "open");
    await assert.rejects(Engine.open({ dataDir: directory }), conflict);
    worker.postMessage("close");
    assert.deepEqual(await once(worker, "message"), ["closed"]);
    await worker.terminate();
    const db = await Engine.open({ dataDir: directory });
    assert.equal(text(await db.get("from")), "a thread");
    await db.close();
  },
  "batch, transaction, view": async () => {
    const db = await Engine.open({ dataDir });
    const users = db.view({ prefix: "user:", key: "utf8", value: "json" });
    await users.batch([{ type: "put", key: "ada", value: { visits: 0 } }]);
    const visit = () =>
      db.transact(async (tx) => {
        const { visits } = await users.in(tx).get("ada");
        users.in(tx).put("ada", { visits: visits + 1 });
      });
    await Promise.all(Array.from({ length: 8 }, visit));
    assert.deepEqual(await users.get("ada"), { visits: 8 });
    const found = [];
    for await (const { key } of users.scan()) found.push(key);
    assert.deepEqual(found, ["ada"]);
    await db.close();
  },
  expiry: async () => {
    let time = Date.now();
    const clock = { wall: () => time, elapsed: () => time };
    const db = await Engine.open({ dataDir: join(work, "expiry") }, undefined, { clock });
    await db.put("session", "Ada", { ttlMs: 1000 });
    assert.equal(await db.has("session"), true);
    time += 1000;
    assert.equal(await db.has("session"), false);
    await db.close();
  },
  "backup, read-only": async () => {
    const db = await Engine.open({ dataDir });
    await db.backup(join(work, "backup"));
    const looking = await Engine.open({ dataDir, readOnly: true });
    assert.equal(await looking.count(), await db.count());
    const copy = await Engine.open({ dataDir: join(work, "backup") });
    assert.equal(await copy.count(), await db.count());
    await Promise.all([copy.close(), looking.close(), db.close()]);
  },
  "change feed, watch": async () => {
    const db = await Engine.open({ dataDir });
    await db.addConsumer("copy");
    const watched = db.watch("new", { initial: false })[Symbol.asyncIterator]();
    const next = watched.next();
    await db.put("new", "1");
    assert.equal(text((await next).value.value), "1");
    await watched.return();
    const feed = db.changes({ consumer: "copy" });
    for await (const { operations, token } of feed) {
      assert.deepEqual(
        operations.map(({ type, key }) => `${type} ${text(key)}`),
        ["put new"],
      );
      await feed.acknowledge(token);
      break;
    }
    await db.close();
  },
  "compaction on a worker thread": async () => {
    const directory = join(work, "compacted");
    const db = await Engine.open({ dataDir: directory });
    const value = "x".repeat(1000);
    for (let round = 0; round < 3; round++) {
      const puts = Array.from({ length: 1000 }, (_, i) => db.put(`k${i}`, value, { durability: "relaxed" }));
      await Promise.all(puts);
      await db.flush();
    }
    await db.compact();
    assert.equal(db.stats().tables.tables, 1);
    assert.equal(await db.count(), 1000);
    await db.close();
  },
};

for (const [name, check] of Object.entries(CHECKS)) {
  try {
    await check();
  } catch (cause) {
    console.error(`${name}:`, cause);
    process.exit(1);
  }
}
console.log(Object.keys(CHECKS).length);
