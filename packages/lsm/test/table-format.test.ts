import { readFile } from "node:fs/promises";
import { crc32c } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { inspectTable } from "../src/index.js";
import {
  bytes,
  codeOf,
  type Entry,
  expectContents,
  expiring,
  openTable,
  put,
  tombstone,
  writeTable,
} from "./support.js";

const ENTRIES = [put("user:1", "Ada", 1), put("user:2", "Grace", 2), tombstone("user:3", 3)];
const RANGE = { start: bytes("a"), end: bytes("b"), sequence: 4 };

/** A vector as TABLE.md has it: lines of hex digits. */
async function vectorOfDocument(heading: string): Promise<string> {
  const document = await readFile(new URL("../TABLE.md", import.meta.url), "utf8");
  const [, behind = ""] = document.split(`### ${heading}\n`);
  const [section = ""] = behind.split(/^##/m);
  return [...section.matchAll(/^([0-9a-f]{8,})$/gm)].map(([line]) => line).join("");
}

/** The table with another footer behind its blocks, its checksum right. */
function withFooter(file: Uint8Array, change: (footer: DataView) => void, length = 88): SimDisk {
  const own = new DataView(file.buffer).getUint16(file.length - 12, true);
  const footer = new Uint8Array(length);
  footer.set(file.subarray(-own), length - own);
  const view = new DataView(footer.buffer);
  view.setBigUint64(length - own + 64, BigInt(file.length - own + length), true);
  view.setUint16(length - 12, length, true);
  change(view);
  view.setUint32(length - 8, 0, true);
  view.setUint32(length - 8, crc32c(footer), true);
  const disk = new SimDisk();
  disk.writeFile("t.sst", Uint8Array.from([...file.subarray(0, -own), ...footer]));
  return disk;
}

const VERSION_AT = 78;

describe("the format (T1)", () => {
  it("is what TABLE.md has as a vector", async () => {
    const { bytes: file } = await writeTable({ entries: ENTRIES, rangeTombstones: [RANGE] });
    const vector = await vectorOfDocument("A vector");
    expect(Buffer.from(file).toString("hex")).toBe(vector);
    const disk = new SimDisk();
    disk.writeFile("t.sst", Buffer.from(vector, "hex"));
    const table = await openTable(disk);
    await expectContents(table, { entries: ENTRIES });
    expect(table.rangeTombstones).toEqual([RANGE]);
  });

  it("of a table with an entry that expires is what TABLE.md has as a vector of version 2", async () => {
    const entries = [put("user:1", "Ada", 1), expiring("user:2", "Grace", 1_767_225_600_000, 2)];
    const { bytes: file } = await writeTable({ entries });
    const vector = await vectorOfDocument("A vector of version 2");
    expect(Buffer.from(file).toString("hex")).toBe(vector);
    const disk = new SimDisk();
    disk.writeFile("t.sst", Buffer.from(vector, "hex"));
    const table = await openTable(disk);
    await expectContents(table, { entries });
    const time = 1_767_225_600_000;
    expect(table.expiry).toEqual({ entries: 1, earliest: time, half: time, latest: time });
    expect((await table.properties()).expiry).toEqual(table.expiry);
  });

  it("is of version 1 without an entry that expires, and of version 2 with one: an older reader refuses that by its number", async () => {
    const versionOf = async (entries: Entry[]) => {
      const { bytes: file, summary } = await writeTable({ entries });
      expect(summary.expiry === undefined).toBe(entries === ENTRIES);
      return new DataView(file.buffer).getUint16(file.length - 10, true);
    };
    expect([await versionOf(ENTRIES), await versionOf([...ENTRIES, expiring("user:4", "", 1)])]).toEqual([
      1, 2,
    ]);
  });

  it("of version 2 has times of expiry that can be, also where the footer's checksum is right", async () => {
    const { bytes: file } = await writeTable({ entries: [expiring("a", "1", 5), expiring("b", "2", 9)] });
    const open = async (at: number, number: bigint) => {
      const disk = withFooter(file, (footer) => footer.setBigUint64(at, number, true), 120);
      return codeOf(async () => (await openTable(disk)).close());
    };
    expect(await open(84, 5n)).toBeUndefined();
    for (const [at, number] of [
      [76, 0n],
      [76, 2n ** 60n],
      [84, 0n],
      [84, 10n],
      [92, 4n],
      [92, 10n],
      [100, 8n],
      [100, 2n ** 53n],
    ] as const)
      expect(await open(at, number), `${number} at ${at}`).toBe("KAYA_CORRUPTION");
  });

  it("of a newer version is KAYA_UNSUPPORTED_VERSION, whatever the length of its footer, and damage is not", async () => {
    const { bytes: file } = await writeTable({ entries: ENTRIES });
    await (await openTable(withFooter(file, () => undefined))).close();
    for (const length of [88, 100, 4000]) {
      const disk = withFooter(file, (footer) => footer.setUint16(length - 10, 3, true), length);
      expect(await codeOf(openTable(disk))).toBe("KAYA_UNSUPPORTED_VERSION");
      expect(await codeOf(inspectTable(disk, "t.sst").next())).toBe("KAYA_UNSUPPORTED_VERSION");
      const damaged = Uint8Array.from(disk.readFile("t.sst") ?? []);
      damaged[damaged.length - 10] = 4;
      disk.writeFile("u.sst", damaged);
      expect(await codeOf(openTable(disk, "u.sst"))).toBe("KAYA_CORRUPTION");
    }
  });

  it("has a footer whose every field is checked, also where its checksum is right", async () => {
    const { bytes: file } = await writeTable({ entries: ENTRIES, rangeTombstones: [RANGE] });
    const changes: ((footer: DataView) => void)[] = [
      (footer) => footer.setBigUint64(64, 1n, true),
      (footer) => footer.setUint16(72, 3, true),
      (footer) => footer.setUint16(74, 1, true),
      (footer) => footer.setUint16(76, 60, true),
      (footer) => footer.setUint16(VERSION_AT - 2, 4, true),
      ...[16, 28, 40, 52].flatMap((at) => [
        (footer: DataView) => footer.setBigUint64(at, 2n ** 60n, true),
        (footer: DataView) => footer.setUint32(at + 8, 0xffff_ffff, true),
      ]),
      (footer) => footer.setBigUint64(16, 0n, true),
    ];
    for (const [i, change] of changes.entries()) {
      const code = await codeOf(async () => (await openTable(withFooter(file, change))).properties());
      expect(code, `change ${i}`).toBe("KAYA_CORRUPTION");
    }
  });
});
