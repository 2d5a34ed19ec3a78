import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { KayaError } from "@kaya/core";
import { SimDisk, type WriteFaultRule } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { type FlushMessage, LSM_CHANNELS } from "../src/index.js";
import type { LsmTree } from "../src/tree/lsm-tree.js";
import { bytes } from "./support/keys.js";
import { type Contents, contentsOf, ModelWrites, openTiny, sorted } from "./support/tree-model.js";

type Fault = WriteFaultRule extends infer R ? (R extends { at: number } ? Omit<R, "at"> : never) : never;

const FAULTS: readonly Fault[] = [
  { kind: "disk-full" },
  { kind: "partial-write", bytes: 30 },
  { kind: "io-error" },
  { kind: "io-error", outcome: "kept" },
  { kind: "fsync-failed" },
  { kind: "fsync-failed", outcome: "kept" },
  { kind: "fsync-failed", outcome: "lost" },
];

const KEEP = { autoCompact: false };

function writesBehind(tree: LsmTree, contents: Contents, round: number): ModelWrites {
  const writes = new ModelWrites(contents, tree.covered.sequence);
  for (let n = 0; n < 10; n++) writes.put(`key${(n * 7 + round) % 30}`, `${round}`);
  writes.delete(`key${round % 30}`);
  writes.deleteRange(`key${10 + (round % 3)}`, "key15");
  return writes;
}

describe("a flush that fails", () => {
  it("changes nothing that a reader sees, and the same again succeeds, wherever it failed and failed again", async () => {
    let met = 0;
    for (const fault of FAULTS) {
      for (let place = 0; place < 8; place++) met += await flushWithFaults(fault, place);
    }
    expect(met).toBeGreaterThan(10);
  });

  it("opens on a full disk, removes nothing then, and begins the manifest with the next edit", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk, KEEP);
    const first = writesBehind(tree, new Map(), 0);
    await tree.flush(first.source(), first.covered);
    await tree.close();
    const orphan = await disk.open("sst/00000000000000ff.sst", { create: true });
    await orphan.append(new Uint8Array(9));
    await orphan.close();
    const isThere = async () => (await disk.list("sst")).some(({ path }) => path === orphan.path);

    for (let operations = 0; operations < 8; operations++) {
      const full = disk.fork();
      for (let i = 0; i <= operations; i++) full.addFault({ at: full.nextOperation + i, kind: "disk-full" });
      const opened = await openTiny(full, KEEP);
      expect(await contentsOf(opened.cursor())).toEqual(sorted(first.contents));
      if (!opened.isClean) expect((await full.list("sst")).map(({ path }) => path)).toContain(orphan.path);
      const next = writesBehind(opened, first.contents, 1);
      for (let n = 0; n < 4; n++) await untilDone(opened, next).catch(() => undefined); // until nothing fails any more
      expect(opened.covered).toEqual(next.covered);
      expect(opened.isClean).toBe(true);
      await opened.close();
      full.crash();
      const again = await openTiny(full, KEEP);
      expect(await contentsOf(again.cursor())).toEqual(sorted(next.contents));
      await again.close();
    }
    expect(await isThere()).toBe(true);
  });

  it("leaves a compaction that has failed to the next flush, and tells why it failed", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk, KEEP);
    let contents: Contents = new Map();
    for (let round = 0; round < 3; round++) {
      const writes = writesBehind(tree, contents, round);
      await tree.flush(writes.source(), writes.covered);
      contents = writes.contents;
    }
    disk.addFault({ at: disk.nextOperation + 1, kind: "disk-full" });
    await expect(tree.compact()).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(await contentsOf(tree.cursor())).toEqual(sorted(contents));
    await tree.compact();
    expect(await contentsOf(tree.cursor())).toEqual(sorted(contents));
    await tree.close();

    const auto = await openTiny(disk);
    for (let round = 3; auto.stats().compactionFailure === undefined; round++) {
      const writes = writesBehind(auto, contents, round);
      disk.addFault({ at: disk.nextOperation + 7, kind: "disk-full" });
      disk.addFault({ at: disk.nextOperation + 8, kind: "disk-full" });
      await untilDone(auto, writes);
      contents = writes.contents;
      await auto.settled().catch(() => undefined);
      expect(round).toBeLessThan(20);
    }
    expect(auto.stats().compactionFailure?.code).toBe("KAYA_DISK_FULL");
    const writes = writesBehind(auto, contents, 30);
    await untilDone(auto, writes); // what is left of the faults may strike once more
    await auto.flush({ entries: [] }, writes.covered);
    await auto.settled();
    expect(auto.stats().compactionFailure).toBeUndefined();
    expect(await contentsOf(auto.cursor())).toEqual(sorted(writes.contents));
  });

  it("is told on the channel, as one that succeeds is", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk, KEEP);
    const told: FlushMessage[] = [];
    const listen = (message: unknown) => told.push(message as FlushMessage);
    subscribe(LSM_CHANNELS.flush, listen);
    const writes = writesBehind(tree, new Map(), 0);
    disk.addFault({ at: disk.nextOperation + 2, kind: "fsync-failed" });
    await expect(tree.flush(writes.source(), writes.covered)).rejects.toThrow();
    await tree.flush(writes.source(), writes.covered);
    unsubscribe(LSM_CHANNELS.flush, listen);
    expect(told).toMatchObject([
      { phase: "started" },
      { phase: "failed", error: { code: "KAYA_FSYNC_FAILED" } },
      { phase: "started" },
      { phase: "finished", result: { entries: 10, covered: writes.covered } },
    ]);
  });
});

/** A fault may wait for a later operation than those that there were. */
async function untilDone(tree: LsmTree, writes: ModelWrites): Promise<void> {
  for (let n = 0; n < 3 && tree.covered.sequence < writes.covered.sequence; n++)
    await tree.flush(writes.source(), writes.covered).catch(() => undefined);
  expect(tree.covered).toEqual(writes.covered);
}

/** 1 where both faults were met. */
async function flushWithFaults(fault: Fault, place: number): Promise<number> {
  const disk = new SimDisk({ seed: place });
  const tree = await openTiny(disk, KEEP);
  const before = writesBehind(tree, new Map(), 0);
  await tree.flush(before.source(), before.covered);
  const writes = writesBehind(tree, before.contents, 1);
  const failures: number[] = [];
  for (let attempt = 0; attempt < 2; attempt++) {
    const at = disk.nextOperation + ((place + 3 * attempt) % 11);
    disk.addFault({ ...fault, at });
    if (tree.covered.sequence === writes.covered.sequence) break; // it was there at the first attempt
    const error = await tree.flush(writes.source(), writes.covered).catch((thrown: unknown) => thrown);
    if (!KayaError.is(error)) continue;
    failures.push(at);
    expect(await contentsOf(tree.cursor())).toEqual(sorted(before.contents));
    expect(tree.covered).toEqual(before.covered);
    await mustBeEither(disk, [before.contents, writes.contents]);
  }
  await untilDone(tree, writes);
  expect(await contentsOf(tree.cursor())).toEqual(sorted(writes.contents));
  await mustBeEither(disk, [writes.contents]);
  await tree.close();
  const left = disk.fork(); // without faults that are left
  const again = await openTiny(left, KEEP);
  expect(await contentsOf(again.cursor())).toEqual(sorted(writes.contents));
  expect(await left.list("sst")).toHaveLength(again.stats().tables);
  return failures.length === 2 ? 1 : 0;
}

/** After the process alone ended, and after power cuts. */
async function mustBeEither(disk: SimDisk, possible: readonly Contents[]): Promise<void> {
  for (let seed = 0; seed < 6; seed++) {
    const fork = disk.fork();
    if (seed > 0)
      fork.crash({ survive: seed === 1 ? "nothing" : seed === 2 ? "everything" : "random", seed });
    const tree = await openTiny(fork, KEEP);
    const contents = await contentsOf(tree.cursor());
    expect(possible.map(sorted)).toContainEqual(contents);
    expect(tree.getSync(bytes("nothing"))).toBeUndefined();
    await tree.close();
  }
}

describe("damage in a table", () => {
  it("is told to who needs the block, and to nobody else; compaction fails and changes nothing", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk, { ...KEEP, cacheBytes: 0 });
    const entries = (from: number) =>
      Array.from({ length: 100 }, (_, n) => ({
        key: bytes(`key${String(n).padStart(3, "0")}`),
        kind: 0 as const,
        sequence: from + n,
        value: bytes("v".repeat(40)),
      }));
    await tree.flush({ entries: entries(1) }, { lsn: 100, sequence: 100 });
    await tree.flush({ entries: entries(101) }, { lsn: 200, sequence: 200 });
    const newest = (await disk.list("sst")).at(-1)?.path as string;
    disk.flipBit(newest, 30, 2);
    expect(() => tree.getSync(bytes("key000"))).toThrow(expect.objectContaining({ code: "KAYA_CORRUPTION" }));
    await expect(tree.get(bytes("key001"))).rejects.toThrow(newest);
    expect((await tree.get(bytes("key090")))?.sequence).toBe(191);
    await expect(tree.compact()).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    expect((await tree.get(bytes("key090")))?.sequence).toBe(191);
    expect(await disk.list("sst")).toHaveLength(2);
    await tree.close();
  });
});
