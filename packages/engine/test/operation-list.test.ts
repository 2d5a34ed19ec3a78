import type { WalOperation } from "@kaya/wal";
import { describe, expect, test } from "vitest";
import { changedBy } from "../src/transaction/changed.js";
import { OperationList, stateBy, valueBy } from "../src/transaction/operation-list.js";

const bytes = (text: string) => new Uint8Array(Buffer.from(text));
const text = (value: Uint8Array | null | undefined) => value && Buffer.from(value).toString();
const put = (key: string, value: string, expiresAt?: number): WalOperation => ({
  type: "put",
  key: bytes(key),
  value: bytes(value),
  ...(expiresAt !== undefined && { expiresAt }),
});
const del = (key: string): WalOperation => ({ type: "delete", key: bytes(key) });
const clear = (start: string, end?: string): WalOperation => ({
  type: "deleteRange",
  start: bytes(start),
  end: end === undefined ? undefined : bytes(end),
});

function listOf(...operations: WalOperation[]): OperationList {
  const list = new OperationList();
  for (const operation of operations) list.add(operation, list.length + 1);
  return list;
}

/** What a reader gets after the first `count` of them. */
function get(list: OperationList, key: string, count = list.length, now = 0) {
  const last = list.lastOn(bytes(key), count);
  return last && text(valueBy(last, () => now));
}

describe("a list of operations", () => {
  test("gives what the last operation on a key left, at any number of operations", () => {
    const list = listOf(put("a", "1"), put("b", "2"), put("a", "3"), del("b"));
    expect([0, 1, 2, 3, 4].map((count) => get(list, "a", count))).toEqual([undefined, "1", "1", "3", "3"]);
    expect([1, 2, 3, 4].map((count) => get(list, "b", count))).toEqual([undefined, "2", "2", null]);
    expect(get(list, "c")).toBeUndefined();
    expect(stateBy(list.lastOn(bytes("a"), 4) ?? expect.fail())).toMatchObject({ sequence: 3 });
    expect(stateBy(list.lastOn(bytes("b"), 4) ?? expect.fail())).toMatchObject({ sequence: undefined });
  });

  test("a range that is deleted hides what was put before, and nothing that was put behind it", () => {
    const list = listOf(put("b", "1"), clear("b", "d"), put("c", "2"), clear("x"));
    expect([1, 2].map((count) => get(list, "b", count))).toEqual(["1", null]);
    expect([2, 3, 4].map((count) => get(list, "c", count))).toEqual([null, "2", "2"]);
    expect(["a", "d", "x", "zz"].map((key) => get(list, key))).toEqual([undefined, undefined, null, null]);
  });

  test("a value is gone from its time on, and its state says when", () => {
    const list = listOf(put("a", "1", 100));
    expect([99, 100].map((now) => get(list, "a", 1, now))).toEqual(["1", null]);
    expect(stateBy(list.lastOn(bytes("a"), 1) ?? expect.fail())).toEqual({ sequence: 1, expiresAt: 100 });
  });

  test("keeps copies, and gives copies", () => {
    const [key, value] = [bytes("a"), bytes("1")];
    const list = listOf({ type: "put", key, value });
    key.fill(0);
    value.fill(0);
    const last = list.lastOn(bytes("a"), 1) ?? expect.fail();
    valueBy(last, () => 0)?.fill(0);
    expect(get(list, "a")).toBe("1");
  });
});

test("an operation changes a key of a range, or deletes a part of it", () => {
  const changed = (operation: WalOperation, start: string, end?: string) =>
    text(changedBy(operation, { start: bytes(start), end: end === undefined ? undefined : bytes(end) }));
  expect(changed(put("a", "1"), "a", "b")).toBe("a");
  expect(changed(put("b", "1"), "a", "b")).toBeUndefined();
  expect(changed(put("m", "2"), "m", "m\0")).toBe("m");
  expect(changed(clear("p", "r"), "n", "q")).toBe("p");
  expect(changed(clear("p", "r"), "q", "s")).toBe("q");
  expect(changed(clear("p", "r"), "r", "z")).toBeUndefined();
  expect(changed(clear("p"), "r")).toBe("r");
  expect(changed(del("z"), "r")).toBe("z");
});
