import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Engine } from "@kaya/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Backups } from "../torture/month/backups.mjs";
import { Copy } from "../torture/month/copy.mjs";
import { digestOfContents, digestOfScan } from "../torture/month/digest.mjs";
import { checkNames, filesBelow } from "../torture/month/directory.mjs";
import { liveAMonth } from "../torture/month/month.mjs";
import { monthsWrite } from "../torture/month/plan.mjs";
import { checkUse } from "../torture/month/use.mjs";
import { Ledger } from "../torture/real/ledger.mjs";

// The month itself is `npx pnpm@10 torture`'s; here is a day of it, and what proves that its verdicts can be believed.
const SEED = 3;
const WRITES = 20_000;
const MIB = 1024 * 1024;

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kaya-sim-month-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe("an engine's month", () => {
  it("keeps every promise in a day of it", async () => {
    const figures = await liveAMonth({ writes: WRITES, seed: SEED, dir: join(root, "day") });
    expect(figures).toMatchObject({ violations: [] });
    expect(figures.writes).toBeGreaterThanOrEqual(WRITES);
    expect(figures.kills).toBeGreaterThan(0);
    expect(figures.looks).toBeGreaterThan(0);
  });

  it("plans clears and large values among the small writes, the same in every process", () => {
    const writes = Array.from({ length: 6000 }, (_, number) => monthsWrite(SEED, 1, number));
    expect(writes.filter(({ write }) => "clear" in write)).toHaveLength(1);
    expect(writes).toEqual(writes.map((_, number) => monthsWrite(SEED, 1, number)));
  });
});

describe("what checks the month", () => {
  const put = (key: string, value: string) =>
    ({ durability: "strict", write: [{ type: "put", key, value }] }) as const;

  it("holds disk, memory and handles against what is live", () => {
    const stats = {
      memtable: { bytes: MIB, allocatedBytes: 2 * MIB, snapshots: { open: 0, bytes: 0 } },
      tables: {
        tables: 3,
        obsoleteFiles: 2,
        bytes: 3 * MIB,
        flushes: 1,
        compactions: { drops: 0, moves: 0, merges: 0 },
        cache: { bytes: MIB },
      },
      changes: { keptLogBytes: 0 },
    } as ReturnType<Engine["stats"]>;
    const own = { heapUsed: 8 * MIB, external: 5 * MIB, rss: 90 * MIB, heapTotal: 0, arrayBuffers: 0 };
    const use = { stats, isSettled: true, disk: 5 * MIB, process: own, handles: 20 };
    const memory = { memtableBytes: MIB, cacheBytes: MIB };
    const check = (change: object) => () => checkUse({ ...use, ...change }, { memory });
    expect(check({})).not.toThrow();
    expect(check({ disk: 10 * MIB })).toThrow("disk: 10.0 MiB");
    expect(check({ disk: 10 * MIB, stats: { ...stats, changes: { keptLogBytes: 5 * MIB } } })).not.toThrow();
    expect(check({ disk: 10 * MIB, isSettled: false })).not.toThrow();
    expect(check({ disk: 60 * MIB, stats: { ...stats, changes: { keptLogBytes: 55 * MIB } } })).toThrow(
      "kept",
    );
    expect(check({ stats: { ...stats, memtable: { ...stats.memtable, bytes: 9 * MIB } } })).toThrow(
      "memtables",
    );
    const cache = { ...stats.tables.cache, bytes: 2 * MIB };
    expect(check({ stats: { ...stats, tables: { ...stats.tables, cache } } })).toThrow("the cache");
    expect(check({ process: { ...own, heapUsed: 40 * MIB } })).toThrow("the heap");
    expect(check({ process: { ...own, external: 60 * MIB } })).toThrow("buffers");
    expect(check({ process: { ...own, rss: 300 * MIB } })).toThrow("the resident set");
    expect(check({ handles: 75 })).not.toThrow();
    expect(check({ handles: 76 })).toThrow("76 file handles");
  });

  it("finds what does not belong in a data directory", async () => {
    const dataDir = join(root, "names");
    const engine = await Engine.open({ dataDir });
    await engine.put("key", "value");
    await engine.flush();
    await engine.close();
    expect(() => checkNames(filesBelow(dataDir))).not.toThrow();
    await writeFile(join(dataDir, "manifest", "0000000000000009.manifest.tmp"), "");
    expect(() => checkNames(filesBelow(dataDir))).toThrow("0000000000000009.manifest.tmp must not be");
    expect(() => checkNames(filesBelow(dataDir), { isBusy: true })).not.toThrow();
    await mkdir(join(dataDir, "wal", "quarantine"));
    await writeFile(join(dataDir, "wal", "quarantine", "something"), "");
    expect(() => checkNames(filesBelow(dataDir), { isBusy: true })).toThrow("quarantine");
  });

  it("digests a store and what it must hold to the same, and nothing else", async () => {
    const engine = await Engine.open({ dataDir: join(root, "digest") });
    const contents = new Map([
      ["b", "2"],
      ["a", "1"],
      ["ab", ""],
    ]);
    for (const [key, value] of contents) await engine.put(key, value);
    expect(await digestOfScan(engine.scan())).toEqual(digestOfContents(contents));
    expect(digestOfContents(new Map(contents).set("ab", "1"))).not.toEqual(digestOfContents(contents));
    await engine.close();
  });

  it("finds a change that is missing, came again as another, or was acknowledged and is not", () => {
    const from = (lsn: number) => ({ name: "feed", from: lsn });
    const changes = (...given: unknown[]) => ({ name: "changes", changes: given });
    const first = [1, 1, [["a", "1 1"]]];
    const second = [2, 2, []]; // an empty record has a sequence too
    const third = [3, 3, [["a", null]]];
    const following = (...notes: Parameters<Copy["take"]>[0]) => {
      const copy = new Copy();
      copy.take([from(0), changes(first, second), { name: "acknowledged", lsn: 1 }, ...notes]);
      return copy;
    };
    expect(following(from(1), changes(second, third))).toMatchObject({ given: 4, givenAgain: 1 });
    expect(() => following(changes([4, 3, []]))).toThrow("LSN of a change is 4, and must be 3");
    expect(() => following(changes([3, 4, []]))).toThrow(
      "sequence of the change at LSN 3 is 4, and must be 3",
    );
    expect(() => following(from(1), changes([2, 2, [["b", null]]]))).toThrow("came again as");
    expect(() => following(from(0))).toThrow("LSN 1 was acknowledged");
    expect(() => following(from(3))).toThrow("gave nothing beyond 2");

    const ledger = new Ledger(() => put("a", "1"));
    const acknowledged = [1, 2].map((lsn) => ({ number: lsn - 1, lsn, durable: true, at: 0n }));
    ledger.ended(1, Object.assign(Object.create(null), { acknowledged, rejected: [], openedAt: 0 }), 0);
    following().compareWith(ledger);
    expect(() => ledger.settle(2)).toThrow("«a» is 1 1 in the copy");
  });

  it("finds a conditional write that was done or rejected, and should not have been", () => {
    const settle = (conflicts: readonly number[]) => {
      const unless = ["b", "a"]; // and a last one without a condition
      const ledger = new Ledger((_, number) => {
        const key = unless[number];
        return key === undefined ? put("c", "1") : { ...put("a", `${number}`), unless: key };
      });
      const numbers = [0, 1, 2].filter((number) => !conflicts.includes(number));
      const acknowledged = numbers.map((number, i) => ({ number, lsn: i + 1, durable: true, at: 0n }));
      const rejected = conflicts.map((number) => ({ number, code: "KAYA_CONFLICT" }));
      ledger.ended(1, Object.assign(Object.create(null), { acknowledged, rejected, openedAt: 0 }), 0);
      ledger.settle(acknowledged.length);
      return ledger.conflicts;
    };
    expect(settle([1])).toBe(1);
    expect(() => settle([])).toThrow("conditional write 1.1 was done, and «a» was there");
    expect(() => settle([0])).toThrow("conditional write 1.0 was KAYA_CONFLICT, and «b» was absent");
  });

  it("finds a backup that holds something else, is missing, or was broken off and is there", async () => {
    const backupDir = join(root, "backups");
    const dir = join(backupDir, "1");
    const engine = await Engine.open({ dataDir: join(root, "backed up") });
    await engine.put("key", "value");
    const { lsn } = await engine.backup(dir);
    await engine.close();
    const told = [{ name: "backup", dir, lsn }];
    const ledgerOf = (value: string) => {
      const ledger = new Ledger(() => put("key", value));
      const acknowledged = [{ number: 0, lsn: 1, durable: true, at: 0n }];
      ledger.ended(1, Object.assign(Object.create(null), { acknowledged, rejected: [], openedAt: 0 }), 0);
      return ledger;
    };
    const other = ledgerOf("other");
    const backups = new Backups(backupDir);
    await backups.collect(told, other);
    await expect(backups.verify()).rejects.toThrow("where no life has been");
    other.settle(1);
    await expect(backups.verify()).rejects.toThrow("«key» is «value», not «other»");

    const again = new Backups(backupDir);
    await expect(again.collect([{ name: "broken off", dir }], other)).rejects.toThrow("can be opened");
    await expect(again.collect([{ name: "backup", dir: join(root, "none"), lsn }], other)).rejects.toThrow(
      "LSN",
    );
    const same = ledgerOf("value");
    await again.collect(told, same);
    same.settle(1);
    expect(await again.verify()).toBe(1);
  });
});
