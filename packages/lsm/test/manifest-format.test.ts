import { crc32c, KayaError } from "@kaya/core";
import { Random, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { inspectManifest } from "../src/manifest/inspect-manifest.js";
import { Manifest } from "../src/manifest/manifest.js";
import { manifestPath } from "../src/manifest/manifest-files.js";
import { applyEdit, EMPTY_STATE } from "../src/manifest/manifest-state.js";
import { decodePayload, encodePayload, MalformedPayload, snapshotPayload } from "../src/manifest/payload.js";
import { readManifest } from "../src/manifest/read-manifest.js";
import { decodeManifestRecord, encodeManifestRecord } from "../src/manifest/record.js";
import { replayManifest } from "../src/manifest/replay.js";
import { history, meta } from "./support/states.js";

const OPTIONS = { beginAnewBytes: 2 ** 20, trusted: false, nextTableId: 1 };
const PATH = manifestPath(1);

async function written(seed: number, edits: number) {
  const disk = new SimDisk();
  const made = history(new Random(seed), edits);
  const manifest = await Manifest.resume(disk, await readManifest(disk), OPTIONS);
  for (const edit of made.edits) await manifest.append(edit);
  await manifest.close();
  const bytes = disk.readFile(PATH) as Uint8Array;
  return { disk, bytes, ...made };
}

async function reading(bytes: Uint8Array) {
  const disk = new SimDisk();
  disk.writeFile(PATH, bytes);
  return readManifest(disk);
}

describe("a manifest", () => {
  it("reads back as what was appended, whatever it was", async () => {
    for (let seed = 0; seed < 30; seed++) {
      const { disk, states } = await written(seed, 12);
      const found = await readManifest(disk);
      expect(found.state).toEqual(states.at(-1));
      expect(found.torn).toBeUndefined();
      expect(decodePayload(encodePayload(snapshotPayload(found.state)))).toEqual(
        snapshotPayload(found.state),
      );
    }
  });

  it("may name any number of tables, with keys of any length", () => {
    for (let length = 0; length < 130; length += 5) {
      const tables = Array.from({ length: 60 }, (_, n) => {
        const start = String.fromCharCode(65 + n) + "k".repeat(length);
        return { level: 1, table: meta(n + 1, start, `${start}z`) };
      });
      const covered = { lsn: 1, sequence: 1 };
      const state = applyEdit(EMPTY_STATE, {
        nextTableId: 99,
        covered,
        logIdentity: "i".repeat(length),
        added: tables,
      });
      const encoded = encodePayload(snapshotPayload(state));
      expect(decodePayload(encoded).added).toHaveLength(60);
      expect(Buffer.compare(encodePayload(decodePayload(encoded)), encoded)).toBe(0);
    }
  });

  it("begins with the bytes of MANIFEST.md", () => {
    const state = applyEdit(EMPTY_STATE, {
      nextTableId: 2,
      covered: { lsn: 3, sequence: 4 },
      logIdentity: "9f86d081884c7d65",
      added: [{ level: 0, table: meta(1, "a", "b", 4) }],
    });
    const record = { type: "SNAPSHOT", manifest: 7, number: 9, payload: snapshotPayload(state) } as const;
    expect(Buffer.from(encodeManifestRecord(record)).toString("hex")).toBe(VECTOR);
    expect(decodeManifestRecord(Buffer.from(VECTOR, "hex"), 0)).toEqual({
      record,
      length: VECTOR.length / 2,
    });
  });

  it("M3: is cut where the last edit is short, and refused where the snapshot is", async () => {
    const { bytes, states } = await written(1, 5);
    const { records } = replayManifest(bytes, 1);
    for (let length = 0; length < bytes.length; length++) {
      const whole = records.findLastIndex(({ offset, length: of }) => offset + of <= length);
      if (whole === -1) {
        await expect(reading(bytes.slice(0, length))).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
        continue;
      }
      const found = await reading(bytes.slice(0, length));
      expect(found.state).toEqual(states[whole]);
      const last = records[whole];
      const isWhole = last !== undefined && last.offset + last.length === length;
      expect(found.torn === undefined).toBe(isWhole);
    }
  });

  it("M3: is cut or refused where a bit of the last edit is flipped, and refused where it is one before", async () => {
    const { bytes, states } = await written(2, 3);
    const last = replayManifest(bytes, 1).records.at(-1);
    let cut = 0;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      const found = await reading(damaged).catch((error: unknown) => error);
      if (KayaError.is(found)) {
        expect(found.code).toBe("KAYA_CORRUPTION");
        expect(found.message).toContain(PATH);
        continue;
      }
      expect(bit >> 3).toBeGreaterThanOrEqual(last?.offset ?? 0);
      expect((found as Awaited<ReturnType<typeof reading>>).state).toEqual(states.at(-2));
      cut++;
    }
    expect(cut).toBeGreaterThan(0);
  });

  it("M3: is cut where the last edit's bytes are zeros, garbage or those of an older manifest, in any part", async () => {
    const { bytes, states } = await written(3, 4);
    // What another file left where this one's last block is now: whole records, aligned by chance.
    const parts = replayManifest(bytes, 1).records.map(({ record }) =>
      encodeManifestRecord({ ...record, manifest: 7 }),
    );
    const older = Buffer.concat(parts);
    const { offset = 0 } = replayManifest(bytes, 1).records.at(-1) ?? {};
    const random = new Random(5);
    for (let round = 0; round < 500; round++) {
      const torn = bytes.slice(0, offset + 1 + random.below(bytes.length - offset));
      const from = offset + random.below(torn.length - offset);
      const kind = random.below(3);
      if (kind === 0) torn.fill(0, from);
      else if (kind === 1) torn.set(random.bytes(torn.length - from), from);
      else torn.set(older.subarray(from, torn.length), from);
      const { state } = await reading(torn);
      expect([states.at(-1), states.at(-2)]).toContainEqual(state);
    }
  });

  it("M3: is refused where bytes follow an edit whose payload does not hold: only the last one can be torn", async () => {
    const { bytes } = await written(3, 4);
    const { offset = 0, length = 0 } = replayManifest(bytes, 1).records.at(-1) ?? {};
    const damaged = new Uint8Array(bytes.length + 10);
    damaged.set(bytes);
    damaged[offset + length - 1] = (damaged[offset + length - 1] as number) ^ 1;
    await expect(reading(damaged)).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
  });

  it("refuses a newer version as such, in the snapshot and in an edit, and changes nothing", async () => {
    const { bytes } = await written(4, 2);
    for (const { offset } of replayManifest(bytes, 1).records) {
      for (const [at, value] of [
        [4, 2],
        [6, 44],
        [8, 3],
        [10, 1],
      ] as const) {
        const newer = bytes.slice();
        const view = new DataView(newer.buffer, offset);
        view.setUint16(at, value, true);
        view.setUint32(32, 0, true);
        view.setUint32(32, crc32c(newer.subarray(offset, offset + 40)), true);
        await expect(reading(newer)).rejects.toMatchObject({ code: "KAYA_UNSUPPORTED_VERSION" });
      }
    }
  });

  it("refuses a manifest under another's name, and edits that are out of order", async () => {
    const { bytes } = await written(6, 3);
    const disk = new SimDisk();
    disk.writeFile(manifestPath(2), bytes);
    await expect(readManifest(disk)).rejects.toThrow(/record of manifest 1 stands here/);
    const [first, second, third] = replayManifest(bytes, 1).records;
    if (first === undefined || second === undefined || third === undefined)
      throw new Error("there are three");
    const part = ({ offset, length }: typeof first) => bytes.subarray(offset, offset + length);
    await expect(reading(Buffer.concat([part(first), part(third)]))).rejects.toThrow(
      /record 3 stands where 2 must/,
    );
    await expect(reading(Buffer.concat([part(first), part(first)]))).rejects.toMatchObject({
      code: "KAYA_CORRUPTION",
    });
    await expect(reading(part(second))).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
  });

  it("refuses an edit that does not fit the state, whole as it is", async () => {
    const { bytes, states } = await written(7, 1);
    const state = states.at(-1);
    if (state === undefined) throw new Error("there is one");
    const payloads = [
      { removed: [{ level: 0, id: 999 }] },
      { covered: { lsn: 0, sequence: 0 } },
      { nextTableId: 0 },
      { added: [{ level: 1, table: meta(state.nextTableId, "a", "b") }] },
    ];
    for (const change of payloads) {
      const payload = { ...state, removed: [], added: [], ...change };
      if ("covered" in change && state.covered.lsn === 0) continue;
      const record = encodeManifestRecord({ type: "EDIT", manifest: 1, number: 3, payload });
      await expect(reading(Buffer.concat([bytes, record]))).rejects.toMatchObject({
        code: "KAYA_CORRUPTION",
      });
    }
  });

  it("never throws anything but MalformedPayload for a payload, nor allocates what a length says", () => {
    const payload = encodePayload(
      snapshotPayload(applyEdit(EMPTY_STATE, history(new Random(8), 1).edits[0] ?? {})),
    );
    for (let length = 0; length < payload.length; length++)
      expect(() => decodePayload(payload.subarray(0, length))).toThrow(MalformedPayload);
    const random = new Random(9);
    for (let round = 0; round < 5000; round++) {
      const damaged = payload.slice();
      for (let n = 0; n < 4; n++) damaged[random.below(damaged.length)] = random.below(256);
      try {
        decodePayload(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedPayload);
      }
    }
  });
});

describe("an edit", () => {
  const state = applyEdit(EMPTY_STATE, {
    nextTableId: 10,
    covered: { lsn: 9, sequence: 9 },
    added: [
      { level: 0, table: meta(1, "a", "c") },
      { level: 1, table: meta(2, "a", "c") },
    ],
  });
  it.each([
    ["removes what is not there", { removed: [{ level: 0, id: 2 }] }],
    ["adds what is there", { added: [{ level: 2, table: meta(2, "x", "y") }] }],
    ["adds to a level that overlaps", { added: [{ level: 1, table: meta(3, "c", "d") }] }],
    ["adds below no level", { added: [{ level: 7, table: meta(3, "x", "y") }] }],
    ["adds an id that was not given", { added: [{ level: 0, table: meta(10, "x", "y") }] }],
    ["adds what is not covered", { added: [{ level: 0, table: meta(3, "x", "y", 10) }] }],
    [
      "adds a table without keys",
      { added: [{ level: 0, table: { ...meta(3, "x", "y"), end: meta(3, "x", "y").start } }] },
    ],
    ["goes back in the log", { covered: { lsn: 8, sequence: 9 } }],
    ["goes back in sequences", { covered: { lsn: 9, sequence: 8 } }],
    ["goes back in ids", { nextTableId: 9 }],
    ["has too long an identity", { logIdentity: "x".repeat(1025) }],
  ])("does not fit where it %s", (_, edit) => {
    expect(() => applyEdit(state, edit)).toThrow(
      expect.objectContaining({ code: "KAYA_INVARIANT_VIOLATION" }),
    );
  });

  it("may add tables that touch, and one that has no end as the last", () => {
    const after = applyEdit(state, {
      added: [
        { level: 1, table: { ...meta(4, "d", "e"), end: undefined } },
        {
          level: 1,
          table: {
            ...meta(3, "c", "c"),
            start: meta(2, "a", "c").end as Uint8Array,
            end: meta(4, "d", "e").start,
          },
        },
      ],
    });
    expect(after.levels[1]?.map(({ id }) => id)).toEqual([2, 3, 4]);
    expect(() => applyEdit(after, { added: [{ level: 1, table: meta(5, "z", "z") }] })).toThrow(/overlap/);
  });
});

describe("inspecting a manifest", () => {
  it("tells its records and what is wrong, and throws for no damage", async () => {
    const { disk, bytes, states } = await written(11, 4);
    const whole = await inspectManifest(disk, PATH);
    expect(whole.rows.map(({ type, number }) => [type, number])).toEqual([
      ["SNAPSHOT", 1],
      ["EDIT", 2],
      ["EDIT", 3],
      ["EDIT", 4],
      ["EDIT", 5],
    ]);
    expect(whole).toMatchObject({ verdict: "whole", bytes: bytes.length, state: states.at(-1) });
    expect(whole.damage).toBeUndefined();
    const second = whole.rows[1];
    disk.flipBit(PATH, (second?.offset ?? 0) + 50, 0);
    const damaged = await inspectManifest(disk, PATH);
    expect(damaged).toMatchObject({ verdict: "damaged", damage: { offset: second?.offset } });
    expect(damaged.recordBehind).toBe(whole.rows[2]?.offset);
    for (let length = 0; length < bytes.length; length += 7) {
      disk.writeFile(PATH, bytes.slice(0, length));
      await inspectManifest(disk, PATH);
    }
  });
});

const VECTOR =
  "4b594d460100280001000000070000000000000009000000000000008500000051a94360c48fe125" +
  "020000000000000003000000000000000400000000000000100000003966383664303831383834633764363500000000" +
  "01000000000100000000000000e903000000000000efbeadde0a0000000000000002000000000000000000000000000000" +
  "d00700000000000004000000000000000400000000000000010000006101020000006200";
