import { createContext, runInContext } from "node:vm";
import { SimDisk } from "@kaya/io";
import { LsmTree, PUT } from "@kaya/lsm";
import { writeSealedFile } from "@kaya/wal";
import { afterEach, describe, expect, it } from "vitest";
import { Engine, type KayaErrorCode, recover, recoverTo } from "../src/index.js";
import { entriesOf, rejection, text } from "./support/text.js";

const open = (config = {}, disk = new SimDisk()) => Engine.open(config, disk);
const wrong = (value: unknown): never => value as never;
const mutations = (disk: SimDisk) => disk.events.filter(({ index }) => index !== undefined).length;
const LAST = Number.MAX_SAFE_INTEGER;

const polluted = Object.prototype as Record<string, unknown>;
const NAMES = [
  "durability",
  "conditions",
  "sequence",
  "limit",
  "prefix",
  "since",
  "consumer",
  "dryRun",
  "value",
  "type",
];
afterEach(() => {
  for (const name of NAMES) delete polluted[name];
});

function detached(): Uint8Array {
  const bytes = new Uint8Array(3);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

const throwing = (name: string) => {
  const get = () => {
    throw new TypeError("not now");
  };
  return Object.defineProperty({}, name, { enumerable: true, get });
};

describe("bytes", () => {
  it("whose memory is gone are refused everywhere, not taken for the empty key", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    const gone = detached();
    const snapshot = engine.snapshot();
    const before = mutations(disk); // an opening begins a manifest
    for (const attempt of [
      engine.put(gone, "x"),
      engine.put("key", gone),
      engine.delete(gone),
      engine.get(gone),
      engine.getEntry(gone),
      engine.has(gone),
      engine.getMany([gone]),
      engine.clear({ prefix: gone }),
      engine.clear({ gte: gone }),
      engine.batch([{ type: "put", key: gone, value: "x" }]),
      engine.batch([{ type: "put", key: "key", value: gone }]),
      engine.batch([{ type: "put", key: "key", value: "x" }], {
        conditions: [{ key: gone, sequence: undefined }],
      }),
      snapshot.get(gone),
      snapshot.has(gone),
    ]) {
      expect((await rejection("KAYA_INVALID_ARGUMENT", attempt)).message).toContain("is gone");
    }
    for (const bound of ["prefix", "gt", "gte", "lt", "lte"]) {
      expect(() => engine.scan({ [bound]: gone })).toThrow("is gone");
    }
    expect(mutations(disk)).toBe(before);
    await engine.put(new Uint8Array(0), "an empty key is a key");
    expect(await engine.has("")).toBe(true);
    await engine.close();
  });

  it("of another realm are bytes, in every place", async () => {
    const engine = await open();
    const foreign = (code: string) => runInContext(code, createContext({})) as Uint8Array;
    const key = foreign("new Uint8Array([107])"); // "k"
    await engine.put(key, foreign("new Uint8Array([118])"));
    expect(text(await engine.get(key))).toBe("v");
    expect(text((await engine.getEntry(key)).value)).toBe("v");
    await engine.batch([{ type: "put", key: foreign("new Uint8Array(0)"), value: key }], {
      conditions: [{ key, sequence: 1 }],
    });
    expect(await entriesOf(engine.scan({ gte: key }))).toEqual([["k", "v"]]);
    expect(await entriesOf(engine.scan({ prefix: foreign("new Uint8Array(0)") }))).toHaveLength(2);
    await engine.delete(key);
    expect(await engine.has("k")).toBe(false);
    await engine.close();
  });

  it("over shared memory are written as they were at the call, and never end the engine", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    const shared = Reflect.construct(SharedArrayBuffer, [2, { maxByteLength: 4096 }]) as SharedArrayBuffer & {
      grow(length: number): void;
    };
    const value = new Uint8Array(shared).fill(0x61);
    const write = engine.put("key", value);
    shared.grow(4096);
    value.fill(0x62);
    await write;
    expect(text(await engine.get("key"))).toBe("aa");
    expect(value.length).toBe(4096);
    // A look at its length that finds more each time is what another thread does.
    let length = 4096;
    Object.defineProperty(value, "length", { get: () => ++length });
    await rejection("KAYA_INVALID_ARGUMENT", engine.put("key", value));
    await rejection("KAYA_INVALID_ARGUMENT", engine.batch([{ type: "put", key: "key", value }]));
    await engine.put("key", "behind");
    expect(engine.state).toBe("open");
    await engine.close();
    const again = await open({}, disk);
    expect(text(await again.get("key"))).toBe("behind");
    await again.close();
  });
});

describe("what throws when it is looked at", () => {
  it("is the caller's mistake, told with its cause, in every place", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    const before = mutations(disk);
    const put = { type: "put", key: "k", value: "v" } as const;
    const attempts: [string, () => Promise<unknown>][] = [
      ["put", () => engine.put("k", "v", wrong(throwing("durability")))],
      ["put options", () => engine.put("k", "v", wrong(revoked()))],
      ["put key", () => engine.put(wrong(revoked()), "v")],
      ["delete", () => engine.delete("k", wrong(revoked()))],
      ["batch", () => engine.batch(wrong(revoked()))],
      ["an operation", () => engine.batch([wrong(revoked())])],
      ["a getter of an operation", () => engine.batch([wrong(throwing("type"))])],
      ["the options of a batch", () => engine.batch([put], wrong(revoked()))],
      ["the conditions", () => engine.batch([put], { conditions: wrong(revoked()) })],
      ["a condition", () => engine.batch([put], { conditions: [wrong(throwing("key"))] })],
      ["getMany", () => engine.getMany(wrong(revoked()))],
      ["clear", () => engine.clear(wrong(throwing("limit")))],
      ["scan", async () => engine.scan(wrong(revoked()))],
      ["changes", async () => engine.changes(wrong(throwing("since")))],
      ["a signal", async () => engine.changes({ signal: wrong(revoked()) })],
      ["addConsumer", () => engine.addConsumer("name", wrong(revoked()))],
      ["a consumer's name", () => engine.addConsumer(wrong(revoked()))],
      ["backup", () => engine.backup(new SimDisk(), wrong(revoked()))],
      ["the target of a backup", () => engine.backup(wrong(revoked()))],
      ["half a disk as the target of a backup", () => engine.backup(wrong({ list: async () => [] }))],
      ["recoverTo", () => recoverTo({}, wrong(revoked()), disk)],
      ["the target of recoverTo", () => recoverTo({}, { lsn: 1, into: wrong(revoked()) }, disk)],
      ["recover", () => recover({}, new SimDisk(), wrong(revoked()))],
      ["open", () => Engine.open(wrong(revoked()))],
      ["a disk", () => Engine.open({}, wrong(revoked()))],
      ["the options of open", () => Engine.open({}, new SimDisk(), wrong(throwing("turns")))],
    ];
    for (const [what, attempt] of attempts) {
      const error = await rejection("KAYA_INVALID_ARGUMENT", attempt()).catch((cause: unknown) => {
        throw new Error(what, { cause });
      });
      expect(error.message, what).not.toBe("");
    }
    expect(mutations(disk)).toBe(before);
    await engine.put("k", "v");
    await engine.close();
  });
});

describe("options", () => {
  it("of a polluted Object.prototype are not obeyed", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    await engine.put("a", "1");
    Object.assign(polluted, { durability: "relaxed", conditions: [{ key: "a", sequence: 9 }], limit: 0 });
    expect(await engine.put("b", "2", {})).toMatchObject({ durable: true });
    expect(await engine.batch([{ type: "put", key: "c", value: "3" }], {})).toMatchObject({ durable: true });
    expect(await entriesOf(engine.scan({}))).toHaveLength(3);
    Object.assign(polluted, { prefix: "zzz", since: "nonsense", consumer: "nobody", sequence: 1 });
    expect(await entriesOf(engine.scan({ limit: 9 }))).toHaveLength(3);
    expect((await engine.changes({}).next()).value?.lsn).toBe(1);
    await rejection("KAYA_INVALID_ARGUMENT", engine.batch([], { conditions: [wrong({ key: "a" })] }));
    await engine.close();
    polluted.dryRun = true;
    expect((await recover({}, disk, {})).dryRun).toBe(false);
  });

  it("that are inherited from a class are refused: nobody would find out that they are ignored", async () => {
    const engine = await open();
    const inherited = Object.create({ durability: "relaxed" });
    const error = await rejection("KAYA_INVALID_ARGUMENT", engine.put("a", "1", inherited));
    expect(error.message).toContain("durability is inherited");
    await engine.close();
  });
});

describe("a batch of nothing", () => {
  it("makes what was written before it durable, writes no record, and says where the log is", async () => {
    const disk = new SimDisk();
    const engine = await open({ durability: "relaxed" }, disk);
    expect(await engine.batch([])).toEqual({ lsn: 0, sequence: 0, durable: true });
    await engine.batch([
      { type: "put", key: "a", value: "1" },
      { type: "put", key: "b", value: "2" },
    ]);
    expect(await engine.batch([])).toEqual({ lsn: 1, sequence: 2, durable: false });
    expect(await engine.batch([], { durability: "strict" })).toEqual({ lsn: 1, sequence: 2, durable: true });
    disk.crash();
    const again = await open({}, disk);
    expect(await entriesOf(again.scan())).toHaveLength(2);
    expect(again.stats().lastLsn).toBe(1);
    await again.close();
  });

  it("is refused as any other: with wrong options, a condition that fails, and once the engine is closed or failed", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    await engine.put("a", "1");
    const refusals: [KayaErrorCode, object][] = [
      ["KAYA_INVALID_ARGUMENT", { durability: "perhaps" }],
      ["KAYA_INVALID_ARGUMENT", { sync: true }],
      ["KAYA_CONFLICT", { conditions: [{ key: "a", sequence: undefined }] }],
    ];
    for (const [code, options] of refusals) await rejection(code, engine.batch([], options));
    expect(await engine.batch([], { conditions: [{ key: "a", sequence: 1 }] })).toMatchObject({ lsn: 1 });
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    const write = engine.put("b", "2");
    await rejection("KAYA_FSYNC_FAILED", engine.batch([]));
    await rejection("KAYA_FSYNC_FAILED", write);
    for (const durability of ["strict", "relaxed"] as const)
      await rejection("KAYA_WRITER_FAILED", engine.batch([], { durability }));
    await engine.close().catch(() => undefined);
    await rejection("KAYA_CLOSED", engine.batch([]));
  });
});

describe("numbers near 2^53 - 1", () => {
  it("tables that cover the last LSN but one are opened and written on to, up to the last", async () => {
    const disk = new SimDisk();
    const tree = await LsmTree.open(disk, {});
    const entry = { key: Buffer.from("a"), value: Buffer.from("1"), kind: PUT, sequence: LAST - 2 } as const;
    await tree.flush({ entries: [entry], rangeTombstones: [] }, { lsn: LAST - 2, sequence: LAST - 2 });
    await tree.close();
    const engine = await open({}, disk);
    expect(await engine.put("b", "1")).toMatchObject({ lsn: LAST - 1, sequence: LAST - 1 });
    await engine.flush();
    await engine.close();
    const again = await open({}, disk);
    expect(await entriesOf(again.scan())).toHaveLength(2);
    expect((await again.getEntry("b")).sequence).toBe(LAST - 1);
    await again.close();
  });
});

describe("the file of consumers", () => {
  const token = "0123456789abcdef-0";
  const withConsumers = async (content: string) => {
    const disk = new SimDisk();
    await writeSealedFile(disk, "consumers", content);
    return disk;
  };

  it.each([
    ["the line end of its last consumer", `kaya consumers 1\n${token} a\n${token} b`],
    ["the line end of its head", "kaya consumers 1"],
    ["its text", ""],
    ["its head", `${token} a\n`],
    ["a name", `kaya consumers 1\n${token} \n`],
    ["a token", "kaya consumers 1\n a\n"],
    ["one of two names", `kaya consumers 1\n${token} a\n${token} a\n`],
  ])("is refused without %s: a consumer that is passed over loses its changes", async (_, content) => {
    const disk = await withConsumers(content);
    const before = disk.readFile("consumers");
    const error = await rejection("KAYA_CORRUPTION", open({}, disk));
    expect(error.message).toContain("consumers holds ");
    expect(disk.readFile("consumers")).toEqual(before);
  });

  it("is read where it is whole", async () => {
    const engine = await open({}, await withConsumers(`kaya consumers 1\n${token} a\n${token} b c\n`));
    expect(engine.consumers().map(({ name }) => name)).toEqual(["a", "b c"]);
    await engine.close();
  });
});

it("an engine is made by Engine.open alone", () => {
  expect(() => Reflect.construct(Engine, [])).toThrow("Engine.open");
  expect(() => Reflect.construct(Engine, [{}])).toThrow("Engine.open");
});
