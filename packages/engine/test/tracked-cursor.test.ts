import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { EntryCursor } from "@kaya/lsm";
import { expect, it } from "vitest";
import { Memtable } from "../src/memtable/memtable.js";
import { TrackedCursor } from "../src/transaction/tracked-cursor.js";
import { bytes } from "./support/text.js";

it("a tracked cursor that is closed keeps what was read of its range, and lets go of what it read with", async () => {
  const memtable = new Memtable();
  for (const [at, key] of ["a", "b", "c"].entries()) memtable.put(bytes(key), bytes("1"), at + 1);
  const snapshot = memtable.snapshot();
  const readOne = (): [TrackedCursor, WeakRef<EntryCursor>] => {
    const { cursor } = snapshot.run();
    const tracked = new TrackedCursor(
      cursor as EntryCursor,
      { gte: bytes("a"), lt: bytes("x") },
      () => undefined,
    );
    expect(tracked.seek(bytes("a"))).toBe(true);
    expect(tracked.next()).toBe(true);
    tracked.close();
    tracked.close();
    return [tracked, new WeakRef(cursor as EntryCursor)];
  };
  const [tracked, cursor] = readOne();
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  while (cursor.deref() !== undefined) {
    await nextTurn();
    collect();
  }
  expect(tracked.read).toEqual({ start: bytes("a"), end: bytes("b\0") });
  snapshot.release();
});

it("a tracked cursor that is closed while it moves still tells of the entry that it comes to", async () => {
  const memtable = new Memtable();
  memtable.put(bytes("a"), bytes("1"), 1, false, 100);
  const snapshot = memtable.snapshot();
  const cursor = snapshot.run().cursor as EntryCursor;
  const slow: EntryCursor = Object.create(cursor, {
    kind: { get: () => cursor.kind },
    key: { get: () => cursor.key },
    expiresAt: { get: () => cursor.expiresAt },
    seek: { value: async (key: Uint8Array) => cursor.seek(key) },
    close: { value: () => undefined },
  });
  const told: number[] = [];
  const tracked = new TrackedCursor(slow, { gte: bytes("a"), lt: bytes("x") }, (at) =>
    told.push(at.expiresAt),
  );
  const moved = tracked.seek(bytes("a"));
  tracked.close();
  expect(await moved).toBe(true);
  expect(told).toEqual([100]);
  expect(tracked.read).toEqual({ start: bytes("a"), end: bytes("a\0") });
  cursor.close();
  snapshot.release();
});
