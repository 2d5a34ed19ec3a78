import { expect, test } from "vitest";
import { entryKey, entryValue, KEY_BYTES, sampleKeys, VALUE_BYTES } from "../src/data.js";
import { findFileSystem } from "../src/machine.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("keys and values are the same each time, distinct, and of the promised length", () => {
  const keys = new Set<string>();
  const values = new Set<string>();
  for (let i = 0; i < 10_000; i++) {
    keys.add(hex(entryKey(i)));
    values.add(hex(entryValue(i)));
  }
  expect(keys.size).toBe(10_000);
  expect(values.size).toBeGreaterThan(9_900);
  expect([entryKey(7).length, entryValue(7).length]).toEqual([KEY_BYTES, VALUE_BYTES]);
  expect(hex(entryKey(7))).toBe(hex(entryKey(7)));
});

test("sampled keys are those of entries that are there", () => {
  const there = new Set(Array.from({ length: 50 }, (_, i) => hex(entryKey(100 + i))));
  for (const key of sampleKeys(200, 50, 100)) expect(there).toContain(hex(key));
});

test("the file system of a path is that of the nearest mount above it", () => {
  const mounts = "dev / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\ndev2 /tmp/data xfs rw 0 0\n";
  expect(findFileSystem(mounts, "/tmp/data/x")).toBe("xfs");
  expect(findFileSystem(mounts, "/tmp/database")).toBe("tmpfs");
  expect(findFileSystem(mounts, "/home")).toBe("ext4");
});
