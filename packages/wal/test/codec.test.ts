import { readFile } from "node:fs/promises";
import { crc32c, KayaError } from "@kaya/core";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import {
  type DecodeResult,
  decodeRecord,
  encodeRecord,
  operationCount,
  WAL_HEADER_LENGTH,
  WAL_MAGIC,
  WAL_VERSION,
  type WalOperation,
  type WalPayload,
  type WalRecord,
  WalRecordType,
} from "../src/index.js";
import { anyRecord } from "./arbitraries.js";
import {
  AT,
  flipped,
  headerCrcOf,
  resealHeader,
  u32,
  withPayload,
  withU16,
  withU32,
  withU64,
} from "./record-bytes.js";
import { batch, bytes, del, delRange, fill, noop, put, putUntil } from "./support.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 120_000 });

const hex = (value: Uint8Array) => Buffer.from(value).toString("hex");
const ADA: WalRecord = { lsn: 1, sequence: 1, payload: put("user:1", "Ada") };

describe("the format", () => {
  const vector: readonly (readonly [WalRecord, string])[] = [
    [
      ADA,
      "4159414b01002800000001000100000000000000010000000000000011000000afa1a3098e141b850600000003000000757365723a31416461",
    ],
    [
      { lsn: 2, sequence: 2, payload: del("user:2") },
      "4159414b0100280000000200020000000000000002000000000000000a0000004316835a4177ee4606000000757365723a32",
    ],
    [
      { lsn: 3, sequence: 3, payload: noop },
      "4159414b010028000000030003000000000000000300000000000000000000008274218a00000000",
    ],
    [
      { lsn: 4, sequence: 4, payload: delRange("user:", "user;") },
      "4159414b010028000000110004000000000000000400000000000000120000006f64b396c73809c10500000005000000757365723a757365723b",
    ],
    [
      { lsn: 5, sequence: 5, payload: putUntil(1_767_225_600_000, "user:3", "Grace") },
      "4159414b0100280000001200050000000000000005000000000000001b0000005beaf8dd289baf31060000000500000000a8da769b010000757365723a334772616365",
    ],
  ];

  for (const [record, encoded] of vector) {
    it(`record ${record.lsn}, a ${record.payload.type}, stands byte for byte as in the vector, both ways`, () => {
      expect(hex(encodeRecord(record))).toBe(encoded);
      const input = Uint8Array.from(Buffer.from(encoded, "hex"));
      expect(decodeRecord(input)).toEqual({ status: "complete", record, bytesRead: input.length });
    });
  }

  it("FORMAT.md has each line of the vector", async () => {
    const document = await readFile(new URL("../FORMAT.md", import.meta.url), "utf8");
    const lines = vector.map(([, encoded]) => encoded);
    expect(document.match(/^4159414b[0-9a-f]+$/gm)).toEqual(lines);
  });

  it("has these constants", () => {
    expect([WAL_MAGIC, WAL_VERSION, WAL_HEADER_LENGTH]).toEqual([0x4b415941, 1, 40]);
    expect(WalRecordType).toEqual({
      Put: 1,
      Delete: 2,
      Noop: 3,
      Batch: 16,
      DeleteRange: 17,
      PutExpiring: 18,
    });
    expect(crc32c(bytes("123456789"))).toBe(0xe3069283);
  });

  it("a batch is count, then op, key_len, [value_len], key, [value]; all or nothing", () => {
    const record = { lsn: 7, sequence: 9, payload: batch(put("k", "vw"), del("dd"), put("", "")) };
    const encoded = encodeRecord(record);
    expect(hex(encoded.subarray(AT.payload))).toBe(
      [
        "03000000",
        "01",
        "01000000",
        "02000000",
        "6b",
        "7677",
        "02",
        "02000000",
        "6464",
        "01",
        "00000000",
        "00000000",
      ].join(""),
    );
    expect(encoded[AT.recordType]).toBe(16);
    expect(operationCount(record.payload)).toBe(3);
    expect(decodeRecord(encoded)).toEqual({ status: "complete", record, bytesRead: encoded.length });
  });
});

describe("a range delete", () => {
  const payloadOf = (payload: WalPayload) =>
    hex(encodeRecord({ lsn: 1, sequence: 1, payload }).subarray(AT.payload));

  it("is start_len, end_len, start, end; without an end it has no bytes of one; a batch has it with code 3", () => {
    expect(payloadOf(delRange("k", "m"))).toBe(["01000000", "01000000", "6b", "6d"].join(""));
    expect(payloadOf(delRange("k"))).toBe(["01000000", "00000000", "6b"].join(""));
    expect(payloadOf(delRange(""))).toBe(["00000000", "00000000"].join(""));
    expect(payloadOf(batch(delRange("", "b"), put("c", "d"), delRange("e")))).toBe(
      ["03000000", "03", "00000000", "01000000", "62"].join("") +
        ["01", "01000000", "01000000", "63", "64"].join("") +
        ["03", "01000000", "00000000", "65"].join(""),
    );
    expect(operationCount(delRange("k"))).toBe(1);
  });

  it("that has no end, and one of a batch, come back as they went in", () => {
    const large = Uint8Array.from({ length: 70_000 }, (_, i) => 255 - (i % 256));
    for (const payload of [
      delRange(""),
      batch(delRange("\0"), delRange("a", "b")),
      { type: "deleteRange", start: large.subarray(1), end: large } as const,
    ]) {
      const encoded = encodeRecord({ lsn: 1, sequence: 1, payload });
      const record = { lsn: 1, sequence: 1, payload };
      expect(decodeRecord(encoded)).toEqual({ status: "complete", record, bytesRead: encoded.length });
    }
  });
});

describe("a put that expires", () => {
  const payloadOf = (payload: WalPayload) =>
    hex(encodeRecord({ lsn: 1, sequence: 1, payload }).subarray(AT.payload));

  it("is key_len, value_len, expires_at, key, value; a batch has it with code 4", () => {
    expect(payloadOf(putUntil(258, "k", "vw"))).toBe(
      ["01000000", "02000000", "0201000000000000", "6b", "7677"].join(""),
    );
    const largest = Number.MAX_SAFE_INTEGER;
    expect(payloadOf(batch(putUntil(1, "", ""), put("c", "d"), putUntil(largest, "e", "")))).toBe(
      ["03000000", "04", "00000000", "00000000", "0100000000000000"].join("") +
        ["01", "01000000", "01000000", "63", "64"].join("") +
        ["04", "01000000", "00000000", "ffffffffffff1f00", "65"].join(""),
    );
    expect(encodeRecord({ lsn: 1, sequence: 1, payload: putUntil(1, "k") })[AT.recordType]).toBe(18);
  });

  it("without a time, or with undefined for one, is a put as it always was", () => {
    const { key, value } = put("k", "v") as Extract<WalPayload, { type: "put" }>;
    const plainPut = { type: "put", key, value, expiresAt: undefined } as unknown as WalOperation;
    expect(payloadOf(plainPut)).toBe(payloadOf(put("k", "v")));
    expect(payloadOf(batch(plainPut))).toBe(payloadOf(batch(put("k", "v"))));
    expect(encodeRecord({ lsn: 1, sequence: 1, payload: plainPut })[AT.recordType]).toBe(1);
  });

  it("to a reader that does not know it is an unknown type or operation, which refuses the log and cuts nothing", () => {
    // What such a reader sees at the place of 18 and 4, this one sees at that of 19 and 5.
    const type = resealHeader(withU16(encodeRecord(ADA), AT.recordType, 19));
    expect(decodeRecord(type)).toMatchObject({ warning: { kind: "UnknownRecordType", found: 19 } });
    const input = encodeRecord({ lsn: 1, sequence: 1, payload: batch(putUntil(1, "k")) });
    const payload = input.slice(AT.payload);
    payload[4] = 5;
    expect(decodeRecord(withPayload(input, payload))).toMatchObject({
      warning: { kind: "UnknownOperation", found: 5 },
    });
  });
});

describe("round trip", () => {
  it("any record comes back as it went in", () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const encoded = encodeRecord(record);
        expect(decodeRecord(encoded)).toEqual({ status: "complete", record, bytesRead: encoded.length });
      }),
    );
  });

  it("reads only the first record of what it is given", () => {
    fc.assert(
      fc.property(anyRecord, fc.uint8Array(), (record, rest) => {
        const encoded = encodeRecord(record);
        const result = decodeRecord(Uint8Array.from([...encoded, ...rest]));
        expect(result).toEqual({ status: "complete", record, bytesRead: encoded.length });
      }),
    );
  });

  it("reads at an unaligned place of a larger buffer", () => {
    const encoded = encodeRecord(ADA);
    const larger = new Uint8Array(encoded.length + 10);
    larger.set(encoded, 3);
    expect(decodeRecord(larger.subarray(3))).toMatchObject({ status: "complete", record: ADA });
  });

  it("holds a value of the largest record", () => {
    const record = { lsn: 1, sequence: 1, payload: put("", fill(32 * 1024 * 1024 - 48)) };
    const encoded = encodeRecord(record);
    expect(encoded).toHaveLength(32 * 1024 * 1024);
    expect(decodeRecord(encoded).status).toBe("complete");
  });
});

describe("what a decoder checks, in this order", () => {
  const record = encodeRecord(ADA);
  const headerCrc = (input: Uint8Array) => ({
    expected: headerCrcOf(input),
    actual: u32(input, AT.headerCrc),
  });

  /** Each defect leaves the earlier checks whole. `make` puts it into a record that may have later defects already. */
  const defects: readonly {
    readonly kind: string;
    readonly make: (input: Uint8Array) => Uint8Array;
    readonly status: "incomplete" | "invalid";
    readonly fields: (input: Uint8Array) => object;
  }[] = [
    {
      kind: "PartialHeader",
      make: (input) => input.subarray(0, 39),
      status: "incomplete",
      fields: () => ({}),
    },
    {
      kind: "BadMagic",
      make: (input) => withU32(input, AT.magic, 0xfffefdfc),
      status: "invalid",
      fields: () => ({ found: 0xfffefdfc }),
    },
    {
      kind: "UnsupportedVersion",
      make: (input) => withU16(input, AT.version, 2),
      status: "invalid",
      fields: () => ({ found: 2 }),
    },
    {
      kind: "BadHeaderLength",
      make: (input) => withU16(input, AT.headerLength, 0xffff),
      status: "invalid",
      fields: () => ({ found: 0xffff }),
    },
    {
      kind: "UnknownFlags",
      make: (input) => withU16(input, AT.flags, 0x8000),
      status: "invalid",
      fields: () => ({ found: 0x8000 }),
    },
    {
      kind: "UnknownRecordType",
      make: (input) => withU16(input, AT.recordType, 4),
      status: "invalid",
      fields: () => ({ found: 4 }),
    },
    {
      kind: "OversizedPayload",
      make: (input) => withU32(input, AT.payloadLength, 1001),
      status: "invalid",
      fields: () => ({ found: 1001, max: 1000 }),
    },
    {
      kind: "BadHeaderChecksum",
      make: (input) => withU32(input, AT.headerCrc, 0xdeadbeef),
      status: "invalid",
      fields: headerCrc,
    },
    {
      kind: "PartialPayload",
      make: (input) => input.subarray(0, 56),
      status: "incomplete",
      fields: () => ({ expected: 57, actual: 56 }),
    },
    {
      kind: "BadPayloadChecksum",
      make: (input) => flipped(input, 8 * 56),
      status: "invalid",
      fields: (input) => ({
        expected: crc32c(input.subarray(AT.payload, 57)),
        actual: u32(input, AT.payloadCrc),
      }),
    },
    {
      kind: "MalformedPayload",
      make: (input) => withPayload(input, Uint8Array.from([7, 0, 0, 0, 3, 0, 0, 0, ...bytes("user:1Ada")])),
      status: "invalid",
      fields: () => ({ message: "a PUT payload of 17 bytes says that it has 18" }),
    },
  ];

  it("11. an UnknownOperation of a batch is named where it stands, as a newer version may have written it", () => {
    const input = encodeRecord({ lsn: 1, sequence: 1, payload: batch(del("k"), del("k")) });
    const unknown = withPayload(input, Uint8Array.from([2, 0, 0, 0, 2, 1, 0, 0, 0, 0x6b, 5, 1, 2]));
    const warning = { kind: "UnknownOperation", offset: 7, found: 5 };
    expect(decodeRecord(unknown, 7)).toEqual({ status: "invalid", warning });
  });

  for (const [index, { kind, make, status, fields }] of defects.entries()) {
    it(`${index + 1}. ${kind}: ${status}, with exactly its fields`, () => {
      const input = make(record);
      const warning = { kind, offset: 1234, ...fields(input) };
      expect(decodeRecord(input, 1234, 1000)).toEqual({ status, warning });
    });

    for (const later of defects.slice(index + 1)) {
      it(`${kind} is named before ${later.kind}`, () => {
        // The later defect first: making the earlier one must not heal it, so nothing is sealed again.
        const input = make(later.make(record));
        expect(decodeRecord(input, 0, 1000)).toMatchObject({ status, warning: { kind } });
      });
    }
  }

  it("0 bytes are a PartialHeader too", () => {
    expect(decodeRecord(new Uint8Array(0), 57)).toEqual({
      status: "incomplete",
      warning: { kind: "PartialHeader", offset: 57 },
    });
  });

  it("every truncation of every type is incomplete, and says how much is there", () => {
    fc.assert(
      fc.property(anyRecord, (any) => {
        const encoded = encodeRecord(any);
        for (let length = 0; length < encoded.length; length++) {
          const warning =
            length < 40
              ? { kind: "PartialHeader", offset: 0 }
              : { kind: "PartialPayload", offset: 0, expected: encoded.length, actual: length };
          expect(decodeRecord(encoded.subarray(0, length))).toEqual({ status: "incomplete", warning });
        }
      }),
      { numRuns: 30 },
    );
  });

  const RANGED = [
    ADA.payload,
    del("user:2"),
    noop,
    delRange("a", "b"),
    putUntil(1_767_225_600_000, "k"),
    batch(put("k", "vw"), del("dd"), put("", ""), delRange("a"), putUntil(5, "e", "f")),
  ];

  it("no single flipped bit goes unnoticed", () => {
    for (const payload of RANGED) {
      const encoded = encodeRecord({ lsn: 5, sequence: 6, payload });
      for (let bit = 0; bit < encoded.length * 8; bit++) {
        expect(decodeRecord(flipped(encoded, bit)).status, `bit ${bit} of a ${payload.type}`).not.toBe(
          "complete",
        );
      }
    }
  });

  it("no two flipped bits of a header go unnoticed", () => {
    const encoded = encodeRecord(ADA);
    for (let one = 0; one < 320; one += 3) {
      for (let two = one + 1; two < 320; two += 2) {
        expect(decodeRecord(flipped(flipped(encoded, one), two)).status).not.toBe("complete");
      }
    }
  });
});

describe("the payload's own shape", () => {
  const shapes: readonly (readonly [string, WalPayload, readonly number[]])[] = [
    ["a PUT without room for its lengths", put("k"), [0, 0, 0, 0, 0, 0, 0]],
    ["a PUT whose lengths wrap around 2^32", put("k"), [0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0]],
    ["a PUT whose key is longer than the payload", put("k"), [9, 0, 0, 0, 0, 0, 0, 0, 1]],
    ["a PUT with bytes left over", put("k"), [1, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3]],
    ["a DELETE without room for its length", del("k"), [0, 0, 0]],
    ["a DELETE with bytes left over", del("k"), [0, 0, 0, 0, 0]],
    ["a DELETE whose key is too long", del("k"), [2, 0, 0, 0, 1]],
    ["a NOOP with a payload", noop, [0]],
    ["a BATCH without a count", batch(del("k")), [1, 0, 0]],
    ["a BATCH of nothing", batch(del("k")), [0, 0, 0, 0]],
    ["a BATCH with fewer operations than it says", batch(del("k")), [2, 0, 0, 0, 2, 0, 0, 0, 0]],
    [
      "a BATCH with more operations than it says",
      batch(del("k")),
      [1, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0],
    ],
    ["a DELETE_RANGE without room for its lengths", delRange("k"), [0, 0, 0, 0, 0, 0, 0]],
    ["a DELETE_RANGE with bytes left over", delRange("k"), [0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ["a DELETE_RANGE whose lengths wrap around 2^32", delRange("k"), [0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0]],
    ["a DELETE_RANGE that ends where it begins", delRange("k"), [1, 0, 0, 0, 1, 0, 0, 0, 7, 7]],
    ["a DELETE_RANGE that ends before it begins", delRange("k"), [1, 0, 0, 0, 1, 0, 0, 0, 8, 7]],
    [
      "a BATCH whose range ends before it begins",
      batch(del("k")),
      [1, 0, 0, 0, 3, 1, 0, 0, 0, 1, 0, 0, 0, 0x80, 0x7f],
    ],
    ["a BATCH whose range has no room for its lengths", batch(del("k")), [1, 0, 0, 0, 3, 0, 0, 0, 0, 0]],
    ["a PUT_EXPIRING without room for its numbers", putUntil(1, "k"), new Array(15).fill(0)],
    ["a PUT_EXPIRING that never expires", putUntil(1, "k"), new Array(16).fill(0)],
    [
      "a PUT_EXPIRING whose time is above 2^53 - 1",
      putUntil(1, "k"),
      [...new Array(8).fill(0), ...[0, 0, 0, 0, 0, 0, 0x20, 0]],
    ],
    [
      "a PUT_EXPIRING with bytes left over",
      putUntil(1, "k"),
      [...new Array(8).fill(0), 1, ...new Array(8).fill(0)],
    ],
    [
      "a PUT_EXPIRING whose lengths wrap around 2^32",
      putUntil(1, "k"),
      [0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 1, ...new Array(7).fill(0)],
    ],
    [
      "a BATCH whose put has no room for its time",
      batch(del("k")),
      [1, 0, 0, 0, 4, ...new Array(8).fill(0), 1, ...new Array(6).fill(0)],
    ],
    ["a BATCH whose put expires at 0", batch(del("k")), [1, 0, 0, 0, 4, ...new Array(16).fill(0)]],
    [
      "a BATCH whose put expires above 2^53 - 1",
      batch(del("k")),
      [1, 0, 0, 0, 4, ...new Array(8).fill(0), ...new Array(8).fill(0xff)],
    ],
    ["a BATCH whose put has no room for its lengths", batch(del("k")), [1, 0, 0, 0, 1, 0, 0, 0, 0, 0]],
    ["a BATCH whose key is too long", batch(del("k")), [1, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff]],
    ["a BATCH that counts to 2^32", batch(del("k")), [0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0]],
  ];

  for (const [name, payload, payloadBytes] of shapes) {
    it(`${name} is malformed`, () => {
      const input = withPayload(
        encodeRecord({ lsn: 1, sequence: 1, payload }),
        Uint8Array.from(payloadBytes),
      );
      const warning = { kind: "MalformedPayload", offset: 9, message: expect.any(String) };
      expect(decodeRecord(input, 9)).toEqual({ status: "invalid", warning });
    });
  }

  it("an lsn or a sequence above Number.MAX_SAFE_INTEGER is malformed; one below is fine", () => {
    const encoded = encodeRecord(ADA);
    for (const [field, at] of [
      ["lsn", AT.lsn],
      ["sequence", AT.sequence],
    ] as const) {
      for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
        expect(decodeRecord(resealHeader(withU64(encoded, at, value)))).toEqual({
          status: "invalid",
          warning: { kind: "MalformedPayload", offset: 0, message: expect.stringContaining(field) },
        });
      }
      const fine = decodeRecord(resealHeader(withU64(encoded, at, 2n ** 53n - 1n)));
      expect(fine).toMatchObject({ status: "complete", record: { [field]: Number.MAX_SAFE_INTEGER } });
    }
  });
});

describe("R4: no length is trusted before it is checked", () => {
  /** Bytes that stay allocated outside the heap while `run` works. */
  function allocated(run: () => void): number {
    const before = process.memoryUsage().arrayBuffers;
    run();
    return process.memoryUsage().arrayBuffers - before;
  }

  it("a payload_len of 2^32 - 1 costs nothing, whatever the maximum", () => {
    const huge = resealHeader(withU32(encodeRecord(ADA), AT.payloadLength, 0xffffffff));
    expect(allocated(() => decodeRecord(huge))).toBeLessThan(1e6);
    expect(decodeRecord(huge)).toMatchObject({ warning: { kind: "OversizedPayload", found: 0xffffffff } });
    expect(decodeRecord(huge, 0, 2 ** 32)).toMatchObject({
      warning: { kind: "PartialPayload", expected: 2 ** 32 + 39 },
    });
  });

  it("garbage never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        expect(decodeRecord(garbage).status).toBe(garbage.length < 40 ? "incomplete" : "invalid");
      }),
    );
  });

  it("garbage behind a right magic, and garbage payloads under right checksums, never throw", () => {
    const templates = [put("k"), del("k"), delRange("k"), noop, putUntil(1, "k"), batch(del("k"))].map(
      (payload) => encodeRecord({ lsn: 1, sequence: 1, payload }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...templates), fc.uint8Array({ maxLength: 60 }), (template, garbage) => {
        const head = template.slice();
        head.set(garbage.subarray(0, 36), 4);
        decodeRecord(head);
        decodeRecord(resealHeader(head));
        const result: DecodeResult = decodeRecord(withPayload(template, garbage));
        if (result.status === "complete")
          expect(encodeRecord(result.record)).toEqual(withPayload(template, garbage));
        else expect(result.warning.kind).toMatch(/^(MalformedPayload|UnknownOperation)$/);
      }),
      { numRuns: 500 },
    );
  });
});

describe("bytes given out", () => {
  it("are copies: what happens to the input later changes nothing", () => {
    const input = encodeRecord({ lsn: 1, sequence: 1, payload: batch(put("key", "value"), del("other")) });
    const result = decodeRecord(input);
    const before = structuredClone(result);
    input.fill(0xee);
    expect(result).toEqual(before);
  });

  it("are plain Uint8Arrays over memory of their own, also where the input is a Buffer", () => {
    const result = decodeRecord(Buffer.from(encodeRecord(ADA)));
    if (result.status !== "complete" || result.record.payload.type !== "put") throw new Error("must decode");
    const { key, value } = result.record.payload;
    expect([key.constructor, value.constructor]).toEqual([Uint8Array, Uint8Array]);
    expect([key.buffer.byteLength, value.buffer.byteLength]).toEqual([6, 3]);
  });

  it("an encoder copies what it is given", () => {
    const value = bytes("Ada");
    const encoded = encodeRecord({
      lsn: 1,
      sequence: 1,
      payload: { type: "put", key: bytes("user:1"), value },
    });
    value.fill(0);
    expect(encoded).toEqual(encodeRecord(ADA));
  });

  it("an encoder takes Buffers, and views at any place of a larger buffer", () => {
    const larger = Buffer.from("..user:1Ada..");
    const payload: WalPayload = { type: "put", key: larger.subarray(2, 8), value: larger.subarray(8, 11) };
    expect(encodeRecord({ lsn: 1, sequence: 1, payload })).toEqual(encodeRecord(ADA));
  });
});

describe("encodeRecord refuses what the format cannot hold with KAYA_INVALID_ARGUMENT", () => {
  const key = bytes("k");
  const wrong: readonly (readonly [string, unknown])[] = [
    ["nothing", undefined],
    ["null", null],
    ["a record without a payload", { lsn: 1, sequence: 1 }],
    ["a negative lsn", { ...ADA, lsn: -1 }],
    ["a fraction for an lsn", { ...ADA, lsn: 1.5 }],
    ["an lsn above 2^53 - 1", { ...ADA, lsn: 2 ** 53 }],
    ["a bigint", { ...ADA, lsn: 1n }],
    ["NaN for a sequence", { ...ADA, sequence: Number.NaN }],
    ["a string for a sequence", { ...ADA, sequence: "1" }],
    ["an unknown type", { ...ADA, payload: { type: "merge", key } }],
    ["a type that every object has", { ...ADA, payload: { type: "toString" } }],
    ["a string for a key", { ...ADA, payload: { type: "put", key: "k", value: key } }],
    ["no value", { ...ADA, payload: { type: "put", key } }],
    ["an array for a value", { ...ADA, payload: { type: "put", key, value: [1, 2] } }],
    ["an ArrayBuffer for a value", { ...ADA, payload: { type: "put", key, value: new ArrayBuffer(2) } }],
    ["a DELETE without a key", { ...ADA, payload: { type: "delete" } }],
    ["an empty batch", { ...ADA, payload: { type: "batch", operations: [] } }],
    ["a batch of no array", { ...ADA, payload: { type: "batch", operations: new Set([del("k")]) } }],
    ["a batch in a batch", { ...ADA, payload: { type: "batch", operations: [batch(del("k"))] } }],
    ["a noop in a batch", { ...ADA, payload: { type: "batch", operations: [noop] } }],
    ["a hole in a batch", { ...ADA, payload: { type: "batch", operations: new Array(2) } }],
    [
      "a bad key in a batch",
      { ...ADA, payload: { type: "batch", operations: [del("k"), { type: "delete", key: "k" }] } },
    ],
  ];

  for (const [name, record] of wrong) {
    it(name, () => {
      let error: unknown;
      try {
        encodeRecord(record as WalRecord);
      } catch (caught) {
        error = caught;
      }
      expect(KayaError.is(error, "KAYA_INVALID_ARGUMENT"), String(error)).toBe(true);
    });
  }
});
