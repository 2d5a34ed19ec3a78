import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Change, Row, RowPage, TreeNode } from "../src/studio/api.js";
import {
  compare,
  decodeCutText,
  fromBase64Url,
  fromPercent,
  parseHex,
  toBase64Url,
  toHex,
  toPercent,
} from "../src/studio/app/lib/bytes.js";
import { keyLabel, showBehind, showBytes } from "../src/studio/app/lib/key-text.js";
import { roughDuration } from "../src/studio/app/lib/time.js";
import { KeyTree } from "../src/studio/app/model/key-tree.js";
import { follow, gaps } from "../src/studio/app/model/live.js";
import { OpenValue } from "../src/studio/app/model/open-value.js";
import { RowWindow } from "../src/studio/app/model/row-window.js";
import { formatsOf } from "../src/studio/app/model/value-format.js";
import { linesOf, openedAtFirst, parseJson } from "../src/studio/app/model/value-node.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const PATIENCE = { timeout: 60_000, interval: 5 };
const key = (index: number) => `key-${String(index).padStart(6, "0")}`;

describe("bytes", () => {
  test("come back from each form that they are written in", () => {
    const given = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(given, (value) => {
        expect(fromBase64Url(toBase64Url(value))).toEqual(value);
        expect(toBase64Url(value)).toBe(Buffer.from(value).toString("base64url"));
        expect(fromPercent(toPercent(value))).toEqual(value);
        expect(parseHex(toHex(value))).toEqual(value);
      }),
    );
    fc.assert(
      fc.property(given, given, (a, b) => {
        expect(Math.sign(compare(a, b))).toBe(Buffer.compare(a, b));
      }),
    );
    expect(parseHex("0g")).toBeUndefined();
    expect(parseHex("0")).toBeUndefined();
  });

  test("are read as text though they were cut inside a character", () => {
    const whole = bytes("a€");
    expect([1, 2, 3, 4].map((length) => decodeCutText(whole.subarray(0, length)))).toEqual([
      ...["a", "a", "a", "a€"],
    ]);
    expect(decodeCutText(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff))).toBeUndefined();
  });
});

test("a key shows what would not be seen, and is hex where it is no text", () => {
  expect(showBytes(bytes("a\u202eb\n"))).toEqual({ text: "a\\u202eb\\n", isHex: false });
  expect(showBytes(Uint8Array.of(0, 0xff))).toEqual({ text: "00 ff", isHex: true });
  expect(keyLabel("")).toBe("the empty key");
  expect(showBehind(bytes("user:1"), bytes("user:")).text).toBe("1");
  expect(showBehind(bytes("user:"), bytes("user:")).text).toBe("user:");
  // A prefix that ends inside a character leaves no text behind.
  expect(showBehind(bytes("€"), bytes("€").subarray(0, 1)).text).toBe("€");
});

test("a time that is left has its two largest units", () => {
  expect([0, 999, 61_000, 3_600_000, 90_061_000].map(roughDuration)).toEqual([
    ...["0 s", "1 s", "1 min 1 s", "1 h", "1 day 1 h"],
  ]);
});

describe("a value", () => {
  const linesOfJson = (text: string) => {
    const root = parseJson(text);
    if (root === undefined) return undefined;
    return linesOf(root, openedAtFirst(root)).map(
      ({ name = "", leaf, branch, closes }) =>
        name + (leaf?.text ?? branch?.brackets[0] ?? closes?.brackets[1] ?? ""),
    );
  };

  test("that is JSON keeps its digits, its order and its names", () => {
    expect(
      linesOfJson('{"b": 12345678901234567890, "a": 1.0, "a": [true, {}, "x\\"}"], "__proto__": null}'),
    ).toEqual([
      ...[
        "{",
        '"b"12345678901234567890',
        '"a"1.0',
        '"a"[',
        "true",
        "{",
        '"x\\"}"',
        '"a"]',
        '"__proto__"null',
        "}",
      ],
    ]);
    expect(parseJson('{"a":1,}')).toBeUndefined();
    expect(parseJson("12")).toBeUndefined();
    expect(parseJson("[".repeat(5000) + "]".repeat(5000))).toBeUndefined();
  });

  test("of any JSON has the leaves that JSON.parse finds", () => {
    fc.assert(
      fc.property(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue())), (value) => {
        const leaves: string[] = [];
        JSON.parse(JSON.stringify(value), (_, each) => {
          if (typeof each !== "object" || each === null) leaves.push(JSON.stringify(each));
          return each;
        });
        const root = parseJson(JSON.stringify(value));
        const found: string[] = [];
        const collect = (node: NonNullable<typeof root>["entries"][number]["node"]) => {
          if (node.kind === "leaf") found.push(node.text);
          else for (const entry of node.entries) collect(entry.node);
        };
        if (root !== undefined) collect(root);
        expect(found).toEqual(leaves);
      }),
    );
  });

  test("is shown as what suits it", () => {
    const best = (value: Uint8Array) => formatsOf(value).best;
    expect(best(bytes('{"a":1}'))).toBe("json");
    expect(best(bytes("plain\ntext"))).toBe("text");
    expect(best(bytes("\0\0\0\0a"))).toBe("hex");
    expect(best(encode({ a: 1n }, { useBigInt64: true }))).toBe("msgpack");
    expect(best(Uint8Array.of(0xff, 0xd8, 0xff))).toBe("hex");
    // It begins as a map, and is none.
    expect(best(Uint8Array.of(0x82, 0xa1))).toBe("hex");
    expect(best(new Uint8Array())).toBe("text");
  });
});

const put = (text: string): Change => ({ ...change("put", text), length: 9, head: "" });
const remove = (text: string) => change("delete", text);
const removeRange = (from: string, to: string): Change => ({
  ...change("deleteRange", from),
  end: toBase64Url(bytes(to)),
});

function change(kind: Change["kind"], text: string): Change {
  return { lsn: 1, at: 5, kind, key: toBase64Url(bytes(text)) };
}

describe("keys and values that were read", () => {
  let stored: string[];
  /** ETags by key. */
  const etags = new Map<string, string>();
  let requests = 0;

  beforeAll(() => {
    vi.stubGlobal(
      "EventSource",
      class {
        addEventListener(): void {}
        close(): void {}
      },
    );
    vi.stubGlobal("fetch", async (url: string) => {
      requests++;
      const { pathname, searchParams } = new URL(url, "http://localhost");
      if (pathname === "/api/value") {
        const etag = etags.get(searchParams.get("key") ?? "");
        if (etag === undefined) return Response.json({ code: "NOT_FOUND", message: "" }, { status: 404 });
        return new Response("value", { headers: { etag, "kaya-length": "5" } });
      }
      if (pathname === "/api/tree") {
        const nodes = stored.map((each): TreeNode => ({ kind: "key", key: toBase64Url(bytes(each)) }));
        return Response.json({ nodes });
      }
      const [cursor, limit] = [searchParams.get("cursor"), Number(searchParams.get("limit"))];
      const from = cursor === null ? 0 : stored.findIndex((each) => each > cursor);
      const rows = (from === -1 ? [] : stored.slice(from, from + limit)).map(
        (each): Row => ({ key: toBase64Url(bytes(each)), length: 1, head: "" }),
      );
      const last = stored[from + limit - 1];
      const page: RowPage = { rows, ...(last !== undefined && last !== stored.at(-1) && { next: last }) };
      return Response.json(page);
    });
    follow("");
  });

  afterAll(() => vi.unstubAllGlobals());

  const textAt = (rows: RowWindow, index: number) => {
    const row = rows.rowAt(index);
    return row === undefined ? undefined : Buffer.from(row.key, "base64url").toString();
  };
  const show = async (rows: RowWindow, from: number) => {
    while (!(rows.rowAt(from) && rows.rowAt(from + 50)) && (from + 50 < rows.known || !rows.isComplete)) {
      await rows.want(from, from + 51);
    }
    return textAt(rows, from);
  };

  test("are read as far as they are looked at; those far away are let go, and read again", async () => {
    stored = Array.from({ length: 30_000 }, (_, index) => key(index));
    const rows = new RowWindow({});
    for (let index = 0; index < 29_000; index += 200) expect(await show(rows, index)).toBe(key(index));
    expect(rows.rowAt(0)).toBeUndefined();
    const before = requests;
    expect(await show(rows, 0)).toBe(key(0));
    expect(requests).toBe(before + 1);
    expect(await show(rows, 29_900)).toBe(key(29_900));
    expect([rows.known, rows.isComplete, rows.count]).toEqual([30_000, true, 30_000]);
  });

  test("leave none out and have none twice where keys came meanwhile", async () => {
    stored = Array.from({ length: 30_000 }, (_, index) => key(index));
    const rows = new RowWindow({});
    for (let index = 0; index < 20_000; index += 200) await show(rows, index);
    stored = [...stored, `${key(10)}-new`, `${key(3)}-new`].filter((each) => each !== key(1)).sort();
    for (let index = 0; index < 1500; index += 50) {
      expect([index, await show(rows, index)]).toEqual([index, stored[index]]);
    }
  });

  test("take a change of what is shown, and count what is not", async () => {
    stored = [key(1), key(3)];
    const rows = new RowWindow({});
    await show(rows, 0);
    rows.apply([put(key(3))]);
    expect([rows.rowAt(1)?.length, rows.missed.value]).toEqual([9, 0]);
    rows.apply([put(key(2)), put(key(9)), remove(key(1)), remove("no such")]);
    expect(rows.missed.value).toBe(3);
  });

  test("do not count a change outside of their range", async () => {
    stored = [key(1), key(3)];
    const bounds = { gte: key(1), lt: key(5), prefix: "key-" };
    const rows = new RowWindow(
      Object.fromEntries(Object.entries(bounds).map(([name, text]) => [name, toBase64Url(bytes(text))])),
    );
    await show(rows, 0);
    rows.apply([put(key(0)), put(key(5)), put(key(9)), put("other")]);
    expect(rows.missed.value).toBe(0);
    rows.apply([put(key(4))]);
    expect(rows.missed.value).toBe(1);
  });

  test("show that a range of them was deleted, in the order of the changes", async () => {
    stored = [key(1), key(2), key(3)];
    const rows = new RowWindow({});
    await show(rows, 0);
    rows.apply([put(key(1)), removeRange(key(1), key(3)), put(key(2))]);
    expect([...rows.gone]).toEqual([toBase64Url(bytes(key(1)))]);
    expect(rows.missed.value).toBe(1);
  });

  test("are known to be old when the connection was lost", async () => {
    stored = [key(1)];
    const [rows, tree] = [new RowWindow({}), new KeyTree("", "Og")];
    rows.reconnected();
    tree.reconnected();
    expect([rows.isOld.value, tree.isOld.value]).toEqual([false, false]);
    await show(rows, 0);
    await tree.loadMore("");
    rows.reconnected();
    tree.reconnected();
    expect([rows.isOld.value, tree.isOld.value]).toEqual([true, true]);
  });

  test("count in a tree the keys that went, and no others", async () => {
    stored = ["a", "b", "c"];
    const tree = new KeyTree("", "Og");
    await tree.loadMore("");
    tree.apply([remove("group:closed"), put("a")]);
    expect(tree.missed.value).toBe(0);
    tree.apply([remove("a")]);
    expect(tree.missed.value).toBe(1);
    tree.apply([removeRange("b", "d"), put("c")]);
    expect([...tree.gone]).toEqual(["a", "b"].map((text) => toBase64Url(bytes(text))));
  });

  test("are known to have another value: by key, by range, and by asking", async () => {
    const id = toBase64Url(bytes("v"));
    etags.set(id, "1");
    const value = new OpenValue(id);
    await vi.waitUntil(() => value.state.value.kind === "whole", PATIENCE);
    value.apply([put("w"), removeRange("a", "v"), removeRange("w", "x")]);
    expect(value.changed.value).toBeUndefined();
    value.apply([removeRange("a", "w")]);
    expect(value.changed.value).toEqual({ isGone: true, at: 5 });
    value.apply([put("v")]);
    expect(value.changed.value).toEqual({ isGone: false, at: 5 });
    await value.load();
    expect(value.changed.value).toBeUndefined();
    await value.check(false);
    expect(value.changed.value).toBeUndefined();
    etags.set(id, "2");
    await value.check(true); // all changes are told
    expect(value.changed.value).toBeUndefined();
    gaps.value++; // now one may have been missed
    await value.check(true);
    expect(value.changed.value).toEqual({ isGone: false });
    await value.load();
    etags.delete(id);
    await value.check(false);
    expect(value.changed.value).toEqual({ isGone: true });
  });
});
