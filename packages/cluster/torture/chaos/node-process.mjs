// One node and its clients, in a process of their own: `node node-process.mjs <settings as JSON>`. Each call is written to a file before it
// is made, and each answer immediately after it came. So the record survives a SIGKILL. The parent sends questions over IPC.
import { openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { KayaError } from "@kaya/core";
import { Random } from "@kaya/io";
import { ClusterEngine, directoryBlobStore, etcdLog } from "../../dist/index.js";

/** @typedef {{ id: string, life: number, seed: number, lanes: number, keys: number, prefix: string, endpoints: string[], dataDir: string, blobs: string, history: string }} Settings */
/** @typedef {{ key: string, value: string | undefined }} KeyedValue */

/** @type {Settings} */
const settings = JSON.parse(process.argv[2] ?? "{}");
const file = openSync(settings.history, "a");
const NOWHERE = ["KAYA_NOT_LEADER", "KAYA_FENCED", "KAYA_NO_MAJORITY", "KAYA_DISK_FULL"];
let calls = 0;
let isLoaded = true;

process.on("disconnect", () => process.exit());
const db = await ClusterEngine.open({
  dataDir: settings.dataDir,
  log: withSmallEntries(etcdLog({ endpoints: settings.endpoints, prefix: settings.prefix })),
  blobStore: directoryBlobStore(settings.blobs),
  nodeId: settings.id,
  address: `http://${settings.id}`,
  presenceMs: 1_500,
  commitTimeoutMs: 3_000,
  tailMaxBytes: 512 * 1024,
  memory: { memtableBytes: 128 * 1024 },
});
/** @type {string[]} */
const troubles = [];
db.on("trouble", (error) => {
  if (troubles.length < 20) troubles.push(`${error.code}: ${error.message}`);
});
process.on("message", async (/** @type {{ ask: string }} */ { ask }) => {
  process.send?.({ ask, answer: await answer(ask).catch((error) => ({ error: `${error.stack ?? error}` })) });
});
process.send?.({ ask: "opened" });
for (let lane = 0; lane < settings.lanes; lane++) void live(lane);

/** @param {string} ask */
async function answer(ask) {
  if (ask === "status")
    return { role: db.role, epoch: db.epoch, lsn: db.lsn, failure: db.failure?.message, troubles };
  if (ask === "rest") {
    isLoaded = false;
    return {};
  }
  if (ask === "state") {
    await db.catchUp();
    const { lsn } = db;
    /** @type {[string, string][]} */
    const rows = [];
    for await (const { key, value } of db.scan()) rows.push([text(key) ?? "", text(value) ?? ""]);
    return {
      lsn,
      rows,
      loads: db.stats().cluster.baseLoads,
      bases: db.stats().cluster.bases,
      trims: db.stats().cluster.trims,
    };
  }
  await db.close();
  return {};
}

/**
 * Limits the size of entries. The bound of the tail is a multiple of the largest entry, so with small entries even a short run has bases
 * and trims.
 * @param {import("../../dist/index.js").SharedLog} log
 * @returns {import("../../dist/index.js").SharedLog}
 */
function withSmallEntries(log) {
  return new Proxy(log, {
    get(target, name) {
      if (name === "maxEntryBytes") return 64 * 1024;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Runs one client. @param {number} lane */
async function live(lane) {
  const random = new Random(settings.seed, settings.life, lane);
  const process = `${settings.id}.${settings.life}/${lane}`;
  while (isLoaded) {
    const isWriter = db.role === "writer" || random.chance(0.05);
    const kind = isWriter && random.chance(0.7) ? "write" : "read";
    const wasRefused = kind === "write" ? await write(process, random) : await read(process, random);
    await sleep(wasRefused ? 50 + random.below(50) : random.below(12));
  }
}

/**
 * @param {string} process
 * @param {Random} random
 */
async function write(process, random) {
  const value = `${process}-${++calls}-${".".repeat(random.below(random.pick([50, 400, 6_000])))}`;
  const keys = Array.from({ length: random.chance(0.6) ? 1 : 2 }, () => keyOf(random));
  const writes = [...new Set(keys)].map((key) => ({ key, value }));
  const isConditional = random.chance(0.25);
  const condition = isConditional ? await db.getEntry(keyOf(random)).catch(() => undefined) : undefined;
  if (isConditional && condition === undefined) return true;
  const expects =
    condition === undefined ? [] : [{ key: text(condition.key) ?? "", value: text(condition.value) }];
  const [first = ""] = keys;
  const isDelete = condition === undefined && writes.length === 1 && random.chance(0.1);
  const written = isDelete ? [{ key: first, value: undefined }] : writes;
  const isBatch = condition !== undefined || writes.length > 1;
  const id = begin(process, isDelete ? "delete" : isBatch ? "batch" : "put", expects, written);
  try {
    const operations = writes.map(({ key }) => /** @type {const} */ ({ type: "put", key, value }));
    const conditions = condition === undefined ? [] : [condition];
    const { lsn } = isDelete
      ? await db.delete(first)
      : isBatch
        ? await db.batch(operations, { conditions })
        : await db.put(first, value);
    end(id, "ok", { lsn });
    return false;
  } catch (error) {
    const code = KayaError.is(error) ? error.code : "";
    const outcome = code === "KAYA_CONFLICT" ? "conflict" : NOWHERE.includes(code) ? "failed" : "unknown";
    end(id, outcome, { code: code || `${error}` });
    return true;
  }
}

/**
 * @param {string} process
 * @param {Random} random
 */
async function read(process, random) {
  const key = keyOf(random);
  const id = begin(process, "get", [], []);
  try {
    const value = text(await db.get(key, { consistency: "linearizable" }));
    end(id, "ok", { expects: [{ key, value }] });
    return false;
  } catch (error) {
    end(id, "failed", { code: KayaError.is(error) ? error.code : `${error}` });
    return true;
  }
}

/** @param {Random} random */
function keyOf(random) {
  return `k${random.below(settings.keys)}`;
}

/**
 * @param {string} process
 * @param {string} name
 * @param {readonly KeyedValue[]} expects
 * @param {readonly KeyedValue[]} writes
 */
function begin(process, name, expects, writes) {
  const id = `${settings.life}-${++calls}`;
  writeSync(file, `${JSON.stringify({ id, at: now(), process, name, expects, writes })}\n`);
  return id;
}

/**
 * @param {string} id
 * @param {string} outcome
 * @param {object} more
 */
function end(id, outcome, more) {
  writeSync(file, `${JSON.stringify({ id, at: now(), outcome, ...more })}\n`);
}

/** The time in microseconds, on a clock that all processes of the machine share. */
function now() {
  return Number(process.hrtime.bigint() / 1000n);
}

/** @param {Uint8Array | undefined} bytes */
function text(bytes) {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}
