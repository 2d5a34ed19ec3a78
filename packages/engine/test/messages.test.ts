import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimDisk } from "@kaya/io";
import { expect, test } from "vitest";
import { Engine, KayaError, msgpack, recover, recoverTo, type Transaction } from "../src/index.js";

/** A name of what a caller does wrong, and the call. */
type Mistake = readonly [what: string, make: () => unknown];

/** An object whose methods take anything: what callers without types have. */
type Untyped = Record<string, (...given: readonly unknown[]) => unknown>;

const untyped = (value: object) => value as unknown as Untyped;
const wrong = (value: unknown): never => value as never;

const db = await Engine.open({ limits: { maxKeyBytes: 8, maxValueBytes: 8 } }, new SimDisk());
const users = db.view({ prefix: "u:", key: "utf8", value: "json" });
const tuples = db.view({ prefix: "t:", key: "tuple", value: "utf8" });
await db.put("seat", "free");

function configurations(foreign: string): readonly Mistake[] {
  const open = (config: unknown, disk: unknown = new SimDisk()) => Engine.open(wrong(config), wrong(disk));
  const many = { dataDir: 1, durability: "sync", limits: { maxKeyBytes: -1 }, wal: { recovery: "all" } };
  return [
    ["an unknown option", () => open({ dataDirectory: "x" })],
    ["an unknown option, deeper", () => open({ wal: { sync: true } })],
    ["several wrong options", () => open(many)],
    ["a configuration that is text", () => open("./data")],
    ["text for a disk", () => open({}, "./data")],
    ["an empty dataDir", () => open({ dataDir: "" })],
    ["a directory of something else", () => Engine.open({ dataDir: foreign })],
    [
      "a read-only opening of an absent directory",
      () => Engine.open({ dataDir: "/absent/x", readOnly: true }),
    ],
    ["new Engine", () => new (Engine as unknown as new (parts: unknown) => Engine)({})],
  ];
}

function keysAndValues(): readonly Mistake[] {
  const { put, get, getMany } = bound("put", "get", "getMany");
  return [
    ["no key", () => put(undefined, "x")],
    ["a number for a key", () => get(1)],
    ["an object for a key", () => get({ id: 1 })],
    ["a key over the limit", () => put("123456789", "x")],
    ["half a surrogate pair", () => put("\ud800", "x")],
    ["a reserved key", () => put(Buffer.from("ff6b61796100", "hex"), "x")],
    ["no value", () => put("k")],
    ["an object for a value", () => put("k", { a: 1 })],
    ["a value over the limit", () => put("k", "123456789")],
    ["text for keys", () => getMany("k")],
  ];
}

function writes(): readonly Mistake[] {
  const {
    put,
    delete: remove,
    batch,
    update,
    transact,
  } = bound("put", "delete", "batch", "update", "transact");
  const withCondition = (condition: unknown) => batch([], { conditions: [condition] });
  return [
    ["an option of another store", () => put("k", "v", { sync: true })],
    ["a durability that there is not", () => put("k", "v", { durability: "sync" })],
    ["options that are text", () => put("k", "v", "strict")],
    ["a ttl for a deletion", () => remove("k", { ttlMs: 1 })],
    ["a ttl of 0", () => put("k", "v", { ttlMs: 0 })],
    ["a ttl that is text", () => put("k", "v", { ttlMs: "1s" })],
    ["a ttl that is too large", () => put("k", "v", { ttlMs: Number.MAX_SAFE_INTEGER })],
    ["a ttl and a moment", () => put("k", "v", { ttlMs: 1, expiresAt: 1 })],
    ["a moment that is text", () => put("k", "v", { expiresAt: "tomorrow" })],
    ["an invalid Date", () => put("k", "v", { expiresAt: new Date("x") })],
    ["a batch of nothing", () => batch()],
    ["an operation alone", () => batch({ type: "put", key: "k", value: "v" })],
    ["an unknown type of operation", () => batch([{ type: "del", key: "k" }])],
    ["an operation without a type", () => batch([{ key: "k", value: "v" }])],
    ["a put without a key", () => batch([{ type: "put", value: "v" }])],
    ["a clear without a range", () => batch([{ type: "clear" }])],
    ["a clear with a limit", () => batch([{ type: "clear", range: { limit: 1 } }])],
    ["conditions that are no array", () => batch([], { conditions: { key: "k" } })],
    ["a condition that is nothing", () => withCondition(undefined)],
    ["a condition without a key", () => withCondition({ sequence: 1 })],
    ["a condition without a sequence", () => withCondition({ key: "k" })],
    ["a sequence that is text", () => withCondition({ key: "k", sequence: "1" })],
    ["a condition that does not hold", () => withCondition({ key: "seat", sequence: undefined })],
    ["a condition on an absent key", () => withCondition({ key: "none", sequence: 3 })],
    ["an update without a function", () => update("k")],
    ["an update with a value", () => update("k", "v")],
    ["no attempt", () => update("k", () => "v", { attempts: 0 })],
    ["a signal that is none", () => update("k", () => "v", { signal: 1 })],
    ["a number from an update's function", () => update("k", () => 1)],
    ["a transaction without a function", () => transact()],
    ["a transaction that is over", useTransactionLater],
  ];
}

async function useTransactionLater(): Promise<unknown> {
  let kept: Transaction | undefined;
  await db.transact((tx) => {
    kept = tx;
  });
  return kept?.get("k");
}

function ranges(): readonly Mistake[] {
  const { scan, first, clear, page } = bound("scan", "first", "clear", "page");
  return [
    ["an unknown bound", () => scan({ start: "a" })],
    ["text for a range", () => scan("a")],
    ["a bound that is a number", () => scan({ gte: 1 })],
    ["a prefix that is a number", () => scan({ prefix: 1 })],
    ["a negative limit", () => scan({ limit: -1 })],
    ["a direction that is text", () => scan({ reverse: "yes" })],
    ["a limit for one entry", () => first({ limit: 1 })],
    ["an unknown bound of a clear", () => clear({ from: "a" })],
    ["pages of nothing", () => db.scan().pages(0)],
    ["an unknown option of toArray", () => db.scan().toArray(wrong({ max: 1 }))],
    ["a scan that is read twice", readTwice],
    ["a page without a size", () => page({})],
    ["a page with a limit", () => page({ limit: 1 }, { size: 1 })],
    ["a cursor that is none", () => page({}, { size: 1, cursor: "abc" })],
    ["the cursor of another range", useCursorElsewhere],
    ["a closed snapshot", readClosedSnapshot],
  ];
}

async function readTwice(): Promise<unknown> {
  const scan = db.scan();
  await scan.toArray();
  return scan.toArray();
}

async function useCursorElsewhere(): Promise<unknown> {
  await db.put("seat2", "free");
  const { cursor } = await db.page({}, { size: 1 });
  return db.page({ gte: "a" }, { size: 1, cursor });
}

function readClosedSnapshot(): unknown {
  const snapshot = db.snapshot();
  snapshot.close();
  return snapshot.get("k");
}

function views(): readonly Mistake[] {
  const { view } = bound("view");
  const index = (options: unknown) =>
    view({ prefix: "q:", key: "utf8", value: "json", indexes: { byAge: options } });
  return [
    ["no options", () => view()],
    ["an unknown codec of keys", () => view({ key: "string", value: "json" })],
    ["an unknown codec of values", () => view({ key: "utf8", value: "cbor" })],
    ["an unknown option of a view", () => view({ prefix: "x", key: "utf8", value: "json", ttl: 1 })],
    ["a prefix that is a number", () => view({ prefix: 1, key: "utf8", value: "json" })],
    ["a schema that is none", () => view({ prefix: "x", key: "utf8", value: "json", schema: {} })],
    [
      "indexes without a prefix",
      () => view({ key: "utf8", value: "json", indexes: { byAge: { of: String } } }),
    ],
    ["indexes that are an array", () => view({ prefix: "q:", key: "utf8", value: "json", indexes: [] })],
    ["an index without a function", () => index({})],
    ["an index with both functions", () => index({ of: String, each: () => [] })],
    ["unique that is text", () => index({ of: String, unique: "yes" })],
    ["a negative version", () => index({ of: String, version: -1 })],
    ["an index that is not declared", () => users.index(wrong("byAge"))],
    ["a package that is none", () => msgpack(wrong(1))],
  ];
}

function viewKeysAndValues(): readonly Mistake[] {
  const view = untyped(users);
  const bytes = db.view({ prefix: "b:", key: "bytes", value: "bytes" });
  return [
    ["a number for a text key", () => users.get(wrong(1))],
    ["undefined for a value", () => users.put("ada", wrong(undefined))],
    ["a function for a value", () => users.put("ada", () => 1)],
    ["a value that the schema refuses", () => checkedView().put("x", { age: "7" })],
    ["text for a tuple", () => tuples.put(wrong("ada"), "x")],
    ["undefined in a tuple", () => tuples.put(wrong([undefined]), "x")],
    ["NaN in a tuple", () => tuples.put([Number.NaN], "x")],
    ["text for bytes", () => bytes.scan({ prefix: wrong("a") })],
    ["an unknown bound of a view", () => users.scan(wrong({ from: "a" }))],
    ["an unknown type of operation", () => users.batch(wrong([{ type: "del", key: "a" }]))],
    ["a clear without a range", () => users.batch(wrong([{ type: "clear" }]))],
    ["a condition without a sequence", () => users.batch([], wrong({ conditions: [{ key: "ada" }] }))],
    ["an update without a function", () => view.update?.("ada")],
    ["a view in a number", () => view.in?.(1)],
    ["a value that something else wrote", readForeignValue],
    ["a key that something else wrote", readForeignKey],
  ];
}

function checkedView() {
  const isAged = (value: unknown) => typeof (value as { age?: unknown }).age === "number";
  const issues = [{ message: "must be a number", path: ["age"] }];
  const validate = (value: unknown) => (isAged(value) ? { value } : { issues });
  const schema = { "~standard": { version: 1, vendor: "own", validate } } as const;
  return db.view({ prefix: "c:", key: "utf8", value: "json", schema });
}

async function readForeignValue(): Promise<unknown> {
  // Not JSON: what its parser says is not the same in each version of each runtime.
  const decode = () => {
    throw new Error("no date begins with ?");
  };
  const dates = db.view({
    prefix: "d:",
    key: "utf8",
    value: { name: "date", encode: String, decode } as never,
  });
  await db.put("d:x", "?");
  return dates.get("x");
}

async function readForeignKey(): Promise<unknown> {
  await db.put("t:x", "?");
  return tuples.scan().toArray();
}

function feeds(): readonly Mistake[] {
  const { changes, addConsumer, watch } = bound("changes", "addConsumer", "watch");
  return [
    ["a token that is none", () => changes({ since: "abc" })],
    ["a token and a consumer", () => changes({ since: "abc", consumer: "a" })],
    ["an unknown consumer", () => changes({ consumer: "search" })],
    ["a consumer without a name", () => addConsumer("")],
    ["a token and a copy", () => addConsumer("a", { since: "x", copy: () => undefined })],
    ["a copy that is a number", () => addConsumer("a", { copy: 1 })],
    ["a feed of no consumer", () => db.changes().acknowledge("x")],
    ["a watch of nothing", () => watch()],
    ["a watch of a number", () => watch(1)],
    ["a watch of no key", () => watch({ gt: "b", lt: "a" })],
    ["a watch with a limit", () => watch({ limit: 1 })],
    ["initial that is a number", () => watch("k", { initial: 1 })],
  ];
}

function files(foreign: string): readonly Mistake[] {
  const { backup, cleanQuarantine, refresh } = bound("backup", "cleanQuarantine", "refresh");
  const into = new SimDisk();
  return [
    ["a backup into nothing", () => backup()],
    ["a backup into an empty path", () => backup("")],
    ["a backup into a directory of something else", () => backup(foreign)],
    ["a callback that is a number", () => backup(new SimDisk(), { onProgress: 1 })],
    ["a cleaning without a limit", () => cleanQuarantine()],
    ["a refresh of an engine that writes", () => refresh()],
    ["dryRun that is text", () => recover({}, new SimDisk(), wrong({ dryRun: "yes" }))],
    ["an LSN of 0", () => recoverTo({}, { lsn: 0, into }, new SimDisk())],
    ["a recovery into nothing", () => recoverTo({}, wrong({ lsn: 1 }), new SimDisk())],
    ["an LSN behind the last", () => recoverTo({}, { lsn: 5, into }, new SimDisk())],
    [
      "a write to a read-only engine",
      async () => (await Engine.open({ readOnly: true }, into)).put("k", "v"),
    ],
    ["a read of a closed engine", readClosed],
  ];
}

async function readClosed(): Promise<unknown> {
  const closed = await Engine.open({}, new SimDisk());
  await closed.close();
  return closed.get("k");
}

/** Methods of the engine that take anything. */
function bound<N extends string>(
  ...names: readonly N[]
): Record<N, (...given: readonly unknown[]) => unknown> {
  const entries = names.map((name) => [name, untyped(db)[name]?.bind(db)]);
  return Object.fromEntries(entries);
}

async function messageOf(make: () => unknown): Promise<string> {
  try {
    const given = await make();
    return `no error, but ${typeof given}`;
  } catch (error) {
    return KayaError.is(error) ? `${error.code}: ${error.message}` : `no KayaError, but ${error}`;
  }
}

/**
 * Read `messages.txt` as the person who has made the mistake. A message names the argument, the finding and the remedy, in plain English.
 * `npx vitest run test/messages.test.ts -u` writes the list again.
 */
test("the message of each mistake is the one that a person has read", async () => {
  const foreign = await mkdtemp(join(tmpdir(), "kaya-messages-"));
  try {
    await writeFile(join(foreign, "photo.jpg"), "");
    const sections: readonly (readonly [string, readonly Mistake[]])[] = [
      ["Configuration", configurations(foreign)],
      ["Keys and values", keysAndValues()],
      ["Writes", writes()],
      ["Ranges", ranges()],
      ["Views", views()],
      ["Keys and values of views", viewKeysAndValues()],
      ["Changes and watches", feeds()],
      ["Files", files(foreign)],
    ];
    const lines: string[] = [];
    for (const [title, mistakes] of sections) {
      lines.push(`# ${title}`, "");
      for (const [what, make] of mistakes) {
        const message = (await messageOf(make)).replaceAll(foreign, "/photos");
        expect(message, what).toMatch(/^KAYA_/);
        lines.push(`${what}`, `    ${message.replaceAll("\n", "\n    ")}`, "");
      }
    }
    await expect(`${lines.join("\n")}`).toMatchFileSnapshot("messages.txt");
  } finally {
    await rm(foreign, { recursive: true, force: true });
  }
});
