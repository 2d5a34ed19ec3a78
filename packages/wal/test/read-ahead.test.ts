import { SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { recoverWal } from "../src/index.js";
import { bytes, encodeAll, fill, numbered, segmentPath } from "./support.js";

vi.setConfig({ testTimeout: 120_000 });

const KiB = 1024;

/** A log of some mebibytes whose values have these lengths, over and over. */
function logOf(
  lengths: readonly number[],
  totalBytes: number,
): { disk: SimDisk; count: number; length: number } {
  const payloads = [];
  for (let used = 0, i = 0; used < totalBytes; i++) {
    const value = fill(lengths[i % lengths.length] ?? 0, i % 251);
    payloads.push({ type: "put" as const, key: bytes(`key ${i}`), value });
    used += value.length + 56;
  }
  const disk = new SimDisk();
  const encoded = encodeAll(numbered(payloads));
  disk.writeFile(segmentPath(1), encoded);
  return { disk, count: payloads.length, length: encoded.length };
}

async function recoveredOf(disk: SimDisk): Promise<{ lengths: number[]; wrong: number }> {
  const lengths: number[] = [];
  let wrong = 0;
  await recoverWal({}, disk, {
    dryRun: true,
    onRecord: ({ record: { lsn, payload } }) => {
      if (payload.type !== "put") throw new Error("only puts were written");
      lengths.push(payload.value.length);
      if (!payload.value.every((byte) => byte === (lsn - 1) % 251)) wrong++;
    },
  });
  return { lengths, wrong };
}

describe("a log that is read a piece ahead", () => {
  it.each([
    ["small records", [100, 7, 333]],
    ["records longer than what is carried over", [100, 70 * KiB, 64 * KiB, 3]],
    ["records longer than a piece", [50, 1500 * KiB, 1024 * KiB - 56, 9]],
  ])("comes back whole across the pieces: %s", async (_, lengths) => {
    const { disk, count } = logOf(lengths, 5000 * KiB);
    const { lengths: found, wrong } = await recoveredOf(disk);
    expect(found).toEqual(Array.from({ length: count }, (__, i) => lengths[i % lengths.length]));
    expect(wrong).toBe(0);
  });

  it("is not read past a failed read, however early it was begun", async () => {
    const { disk, length } = logOf([1000], 4000 * KiB);
    disk.breakRange(segmentPath(1), length - 2000, length - 1000);
    let seen = 0;
    const recovery = recoverWal({}, disk, { dryRun: true, onRecord: () => seen++ });
    await expect(recovery).rejects.toMatchObject({ code: "KAYA_IO" });
    expect(seen).toBeGreaterThan(2000);
  });
});

describe("records that take their time", () => {
  it("are given one after the other, and no byte is read a second time for them", async () => {
    const { disk, count } = logOf([10, 100, 60 * KiB, 200 * KiB], 5 * KiB * KiB);
    const atOnce = new CountedReads(disk);
    await recoverWal({}, atOnce.disk, { dryRun: true, onRecord: () => undefined });
    const later = new CountedReads(disk);
    let underWay = 0;
    let given = 0;
    await recoverWal({}, later.disk, {
      dryRun: true,
      onRecord: async ({ record }) => {
        expect([++underWay, record.lsn]).toEqual([1, ++given]);
        await undefined;
        underWay--;
      },
    });
    expect(given).toBe(count);
    expect(later.bytes).toBe(atOnce.bytes);
  });

  it("and what fails for one ends it there", async () => {
    const { disk } = logOf([10], 4 * KiB);
    let given = 0;
    const recovering = recoverWal({}, disk, {
      dryRun: true,
      onRecord: async () => {
        await undefined;
        if (++given === 3) throw new RangeError("no room");
      },
    });
    await expect(recovering).rejects.toThrow("no room");
    expect(given).toBe(3);
  });
});

/** A disk that counts the bytes that are read of it. */
class CountedReads {
  readonly disk: SimDisk;
  bytes = 0;

  constructor(disk: SimDisk) {
    const open = async (...args: Parameters<SimDisk["open"]>) => this.#counted(await disk.open(...args));
    this.disk = replacing(disk, { open });
  }

  #counted<T extends { readAt(offset: number, into: Uint8Array): Promise<number> }>(file: T): T {
    const readAt = async (offset: number, into: Uint8Array) => {
      this.bytes += into.length;
      return file.readAt(offset, into);
    };
    return replacing(file, { readAt } as Partial<T>);
  }
}

/** The same object with some methods replaced. */
function replacing<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const value = Reflect.get(name in replaced ? replaced : target, name, target);
      return typeof value === "function" && !(name in replaced) ? value.bind(target) : value;
    },
  });
}
