import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import {
  BlockCache,
  type EntryCursor,
  EXPIRING,
  inspectTable,
  isTableDamage,
  isTableRow,
  Table,
  type TableInspectionRow,
} from "../src/index.js";
import {
  asText,
  bytes,
  type Contents,
  codeOf,
  collect,
  type Entry,
  expiring,
  manyEntries,
  openTable,
  put,
  SEED,
  standing,
  tombstone,
  writeTable,
} from "./support.js";

const SMALL_TABLE: Contents = {
  entries: [
    put("ant", "one"),
    put("antelope", "two", 7),
    tombstone("bee", 300),
    expiring("beetle", "three", 1_000_000, 301),
    ...manyEntries(24),
  ],
  rangeTombstones: [{ start: bytes("b"), end: bytes("c"), sequence: 5 }],
};
/** Of version 1. */
const WITHOUT_EXPIRY: Contents = {
  ...SMALL_TABLE,
  entries: SMALL_TABLE.entries.filter(({ kind }) => kind !== EXPIRING),
};
const SMALL_BLOCKS = { blockBytes: 512, indexBytes: 512, bitsPerKey: 10 };

/**
 * All ways to read a table. Each answer is the right one or KAYA_CORRUPTION; the rest of it is served all the same.
 * @returns how many answers were KAYA_CORRUPTION
 */
async function expectRightOrRefused(
  file: Uint8Array,
  { entries, rangeTombstones }: Contents,
): Promise<number> {
  let refused = 0;
  const disk = new SimDisk();
  disk.writeFile("t.sst", file);
  const answer = async <T>(ask: () => T | Promise<T>): Promise<T | "refused"> => {
    const code = await codeOf(async () => ask());
    if (code === undefined) return ask();
    expect(code).toBe("KAYA_CORRUPTION");
    refused++;
    return "refused";
  };
  const answered = await answer(() => openTable(disk));
  if (answered === "refused") return refused;
  const opened: Table = answered;
  const expectEntry = (found: unknown, entry: Entry) => {
    if (found === "refused") return;
    expect(asText([{ ...(found as Entry), key: entry.key }])).toEqual(asText([entry]));
  };
  for (const entry of entries) {
    expectEntry(await answer(() => opened.getSync(entry.key)), entry);
    expectEntry(await answer(() => opened.get(entry.key)), entry);
  }
  for (const key of ["", "ann", "bed", "zebra"].map(bytes)) {
    const found = await answer(() => opened.getSync(key));
    if (found !== "refused") expect(found).toBeUndefined();
  }
  const covering = rangeTombstones === undefined ? 0 : 5;
  expect([opened.coveringSequence(bytes("bee")), opened.coveringSequence(bytes("c"))]).toEqual([covering, 0]);
  const text = asText(entries);
  for (const direction of ["next", "previous"] as const) {
    const order = direction === "next" ? text : [...text].reverse();
    const cursor: EntryCursor = opened.cursor();
    const seen: string[] = [];
    const walked = await answer(async () => {
      seen.length = 0;
      const moved = direction === "next" ? cursor.seekFirst() : cursor.seekLast();
      for (let more = await moved; more; more = await cursor[direction]())
        seen.push(...asText([standing(cursor)]));
    });
    // What came before the damage is right, too.
    expect(seen).toEqual(order.slice(0, seen.length));
    if (walked !== "refused") expect(seen.length).toBe(order.length);
    cursor.close();
  }
  await opened.close();
  return refused;
}

async function inspect(file: Uint8Array): Promise<{ rows: TableInspectionRow[]; damage: string[] }> {
  const disk = new SimDisk();
  disk.writeFile("t.sst", file);
  const rows: TableInspectionRow[] = [];
  const damage: string[] = [];
  for await (const item of inspectTable(disk, "t.sst")) {
    if (isTableDamage(item)) damage.push(`${item.offset} ${item.message}`);
    else if (isTableRow(item)) rows.push(item);
  }
  return { rows, damage };
}

describe("a damaged table (T4)", () => {
  for (const compression of ["none", "snappy"] as const) {
    it(`with any one bit flipped gives right answers or KAYA_CORRUPTION, and an inspection tells (${compression})`, async () => {
      const contents = compression === "none" ? SMALL_TABLE : WITHOUT_EXPIRY;
      const { bytes: file } = await writeTable(contents, { ...SMALL_BLOCKS, compression });
      expect(await expectRightOrRefused(file, contents)).toBe(0);
      // Every bit of the footer; of the blocks one bit of each byte, another one in each.
      const footer = file.length - (compression === "none" ? 120 : 88);
      for (let at = 0; at < file.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          if (at < footer && bit !== at % 8) continue;
          const damaged = file.slice();
          damaged[at] = (damaged[at] as number) ^ (1 << bit);
          const code = await codeOf(inspect(damaged));
          expect(code === undefined || code === "KAYA_UNSUPPORTED_VERSION").toBe(true);
          if (code === undefined)
            expect((await inspect(damaged)).damage.length, `byte ${at} bit ${bit}`).toBeGreaterThan(0);
          if (at % 3 === 0 || at >= footer) await expectRightOrRefused(damaged, contents);
        }
      }
    });
  }

  it("of any shorter or longer length is refused", async () => {
    const { bytes: file } = await writeTable(SMALL_TABLE, SMALL_BLOCKS);
    for (let length = 0; length < file.length; length++) {
      const disk = new SimDisk();
      disk.writeFile("t.sst", file.subarray(0, length));
      expect(await codeOf(openTable(disk)), `${length} bytes`).toBe("KAYA_CORRUPTION");
    }
    for (const extra of [new Uint8Array(1), new Uint8Array(500), file, file.subarray(-88)]) {
      const disk = new SimDisk();
      disk.writeFile("t.sst", Uint8Array.from([...file, ...extra]));
      expect(await codeOf(openTable(disk))).toBe("KAYA_CORRUPTION");
    }
  });

  it("that gets shorter while it is open is KAYA_CORRUPTION with file and offset", async () => {
    const { disk } = await writeTable(SMALL_TABLE, SMALL_BLOCKS);
    const table = await openTable(disk);
    disk.truncateDurably("t.sst", 100);
    await expect(table.get(bytes("ant"))).rejects.toThrow(/t\.sst is damaged at offset \d+: the file ends/);
  });

  it("with a block of another table in the place of its own is found out, also where both have the same shape", async () => {
    const other = {
      ...SMALL_TABLE,
      entries: SMALL_TABLE.entries.map((entry) => ({ ...entry, sequence: entry.sequence + 1 })),
    };
    const { bytes: file } = await writeTable(SMALL_TABLE, SMALL_BLOCKS);
    const { bytes: foreign } = await writeTable(other, { ...SMALL_BLOCKS, seed: SEED.slice().reverse() });
    const { bytes: sameSeed } = await writeTable(SMALL_TABLE, SMALL_BLOCKS);
    expect(Buffer.from(sameSeed).equals(file)).toBe(true);
    for (const { offset, length, kind } of (await inspect(file)).rows) {
      if (kind === "footer") continue;
      const swapped = file.slice();
      swapped.set(foreign.subarray(offset, offset + length), offset);
      expect((await inspect(swapped)).damage.length, `${kind} at ${offset}`).toBeGreaterThan(0);
      await expectRightOrRefused(swapped, SMALL_TABLE);
    }
  });

  it("with two of its blocks of the same length in each other's place is found out", async () => {
    const entries = Array.from({ length: 90 }, (_, i) =>
      put(`k${String(i).padStart(3, "0")}`, "v".repeat(20), 1),
    );
    const { bytes: file } = await writeTable({ entries }, SMALL_BLOCKS);
    const data = (await inspect(file)).rows.filter(({ kind }) => kind === "data");
    const pairs = data.flatMap((a, i) => data.slice(i + 1).map((b) => [a, b] as const));
    const pair = pairs.find(([first, second]) => first.length === second.length);
    if (pair === undefined) throw new Error("no two blocks are of the same length: choose other entries");
    const [a, b] = pair;
    const moved = file.slice();
    moved.set(file.subarray(b.offset, b.offset + b.length), a.offset);
    moved.set(file.subarray(a.offset, a.offset + a.length), b.offset);
    const damage = (await inspect(moved)).damage.map((line) => Number(line.split(" ")[0]));
    expect(damage).toEqual([a.offset, b.offset]);
    await expectRightOrRefused(moved, { entries });
  });

  it("is refused where it is not the one that was expected", async () => {
    const { disk, summary } = await writeTable(SMALL_TABLE, SMALL_BLOCKS);
    const { summary: other } = await writeTable(
      SMALL_TABLE,
      { ...SMALL_BLOCKS, seed: new Uint8Array(16) },
      disk,
      "u.sst",
    );
    const cache = new BlockCache({ bytes: 0 });
    const open = (expected: { fileBytes: number; footerCrc: number }) =>
      Table.open(disk, "t.sst", { cache, expected });
    await (await open(summary)).close();
    expect(other.fileBytes).toBe(summary.fileBytes);
    expect(await codeOf(open(other))).toBe("KAYA_CORRUPTION");
    expect(await codeOf(open({ ...summary, fileBytes: summary.fileBytes + 1 }))).toBe("KAYA_CORRUPTION");
  });
});

describe("a read that fails (T5)", () => {
  it("is KAYA_IO at whichever read it is, never an absent key; and what comes later is served", async () => {
    const contents = { entries: manyEntries(200) };
    const { disk: written } = await writeTable(contents, SMALL_BLOCKS);
    const uses: ((table: Table) => Promise<unknown>)[] = [
      async (table) => contents.entries.map(({ key }) => table.getSync(key)?.sequence),
      async (table) =>
        (await Promise.all(contents.entries.map(({ key }) => table.get(key)))).map(
          (found) => found?.sequence,
        ),
      async (table) => {
        const cursor = table.cursor();
        return (await collect(cursor, cursor.seekLast(), "previous"))
          .map(({ sequence }) => sequence)
          .reverse();
      },
    ];
    for (const use of uses) {
      const expected = contents.entries.map(({ sequence }) => sequence);
      let failures = 0;
      for (let at = 0; ; at++) {
        const disk = written.fork();
        const first = disk.nextRead;
        disk.addFault({ atRead: first + at, kind: "read-error" });
        let table: Table | undefined;
        const code = await codeOf(async () => {
          table = await openTable(disk);
          expect(await use(table)).toEqual(expected);
        });
        if (code === undefined) break;
        failures++;
        expect(code).toBe("KAYA_IO");
        if (table !== undefined) expect(await use(table)).toEqual(expected);
      }
      expect(failures).toBeGreaterThan(5);
    }
  });
});
