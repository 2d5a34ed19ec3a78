import { readFile } from "node:fs/promises";
import { crc32c } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { inspectTable } from "../src/index.js";
import { bytes, codeOf, expectContents, openTable, put, tombstone, writeTable } from "./support.js";

const ENTRIES = [put("user:1", "Ada", 1), put("user:2", "Grace", 2), tombstone("user:3", 3)];
const RANGE = { start: bytes("a"), end: bytes("b"), sequence: 4 };

/** The vector as TABLE.md has it: lines of hex digits. */
async function vectorOfDocument(): Promise<string> {
  const document = await readFile(new URL("../TABLE.md", import.meta.url), "utf8");
  const section = document.slice(document.indexOf("### A vector"));
  return [...section.matchAll(/^([0-9a-f]{8,})$/gm)].map(([line]) => line).join("");
}

/** The table with another footer behind its blocks, its checksum right. */
function withFooter(file: Uint8Array, change: (footer: DataView) => void, length = 88): SimDisk {
  const footer = new Uint8Array(length);
  footer.set(file.subarray(-88), length - 88);
  const view = new DataView(footer.buffer);
  view.setBigUint64(length - 24, BigInt(file.length - 88 + length), true);
  view.setUint16(length - 12, length, true);
  change(view);
  view.setUint32(length - 8, 0, true);
  view.setUint32(length - 8, crc32c(footer), true);
  const disk = new SimDisk();
  disk.writeFile("t.sst", Uint8Array.from([...file.subarray(0, -88), ...footer]));
  return disk;
}

const VERSION_AT = 78;

describe("the format (T1)", () => {
  it("is what TABLE.md has as a vector", async () => {
    const { bytes: file } = await writeTable({ entries: ENTRIES, rangeTombstones: [RANGE] });
    const vector = await vectorOfDocument();
    expect(Buffer.from(file).toString("hex")).toBe(vector);
    const disk = new SimDisk();
    disk.writeFile("t.sst", Buffer.from(vector, "hex"));
    const table = await openTable(disk);
    await expectContents(table, { entries: ENTRIES });
    expect(table.rangeTombstones).toEqual([RANGE]);
  });

  it("of a newer version is KAYA_UNSUPPORTED_VERSION, whatever the length of its footer, and damage is not", async () => {
    const { bytes: file } = await writeTable({ entries: ENTRIES });
    await (await openTable(withFooter(file, () => undefined))).close();
    for (const length of [88, 100, 4000]) {
      const disk = withFooter(file, (footer) => footer.setUint16(length - 10, 2, true), length);
      expect(await codeOf(openTable(disk))).toBe("KAYA_UNSUPPORTED_VERSION");
      expect(await codeOf(inspectTable(disk, "t.sst").next())).toBe("KAYA_UNSUPPORTED_VERSION");
      const damaged = Uint8Array.from(disk.readFile("t.sst") ?? []);
      damaged[damaged.length - 10] = 3;
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
