import { Random } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { Filter, FilterBuilder } from "../src/table/filter.js";
import { KeyHash } from "../src/table/key-hash.js";
import { SEED } from "./support.js";

function hashOf(hash: KeyHash, key: Uint8Array): string {
  hash.update(key);
  const view = new DataView(new ArrayBuffer(8));
  view.setInt32(0, hash.first, true);
  view.setInt32(4, hash.second, true);
  return Buffer.from(view.buffer).toString("hex");
}

describe("the hash of keys", () => {
  it("is HalfSipHash: the reference's vectors with 2 and 4 rounds", () => {
    const key = Uint8Array.from({ length: 8 }, (_, i) => i);
    const hash = new KeyHash(key, 2, 4);
    const input = Uint8Array.from({ length: 64 }, (_, i) => i);
    // vectors_hsip64 of github.com/veorq/SipHash, for inputs of these lengths.
    const vectors: [number, string][] = [
      [0, "218d1f59b9b83cc8"],
      [1, "be552412f8387315"],
      [2, "064f39ef7c50eb57"],
      [3, "ce0f1a45f7060679"],
      [4, "d5e78a175be52ea1"],
      [5, "cb9d7c3f2f3db580"],
      [6, "ce3e91358aa2bc25"],
      [7, "ff202728b07bc684"],
      [8, "edfee820bce4858c"],
      [9, "5b51cccc13888307"],
      [63, "2ea63c71bf326087"],
    ];
    for (const [length, expected] of vectors) expect(hashOf(hash, input.subarray(0, length))).toBe(expected);
  });

  it("is another one with another key, and another one for each key", () => {
    const [a, b] = [new KeyHash(SEED), new KeyHash(SEED.slice().reverse())];
    const seen = new Set<string>();
    for (let length = 0; length < 300; length++) {
      const key = new Uint8Array(length);
      expect(hashOf(a, key)).not.toBe(hashOf(b, key));
      seen.add(hashOf(a, key));
    }
    expect(seen.size).toBe(300);
  });
});

describe("a filter", () => {
  async function filterOf(keys: readonly Uint8Array[], bitsPerKey: number, hash: KeyHash): Promise<Filter> {
    const builder = new FilterBuilder(bitsPerKey);
    for (const key of keys) {
      hash.update(key);
      builder.add(hash.first, hash.second);
    }
    return new Filter((await builder.finish()) as Uint8Array, "t", 0);
  }

  it("knows every key, and lets about one in a hundred through of those that are not there", async () => {
    const random = new Random(3);
    const hash = new KeyHash(SEED);
    const anyKey = () => Uint8Array.from({ length: 12 }, () => random.below(256));
    for (const count of [1, 10, 1000, 150_000]) {
      const keys = Array.from({ length: count }, anyKey);
      const filter = await filterOf(keys, 10, hash);
      const knows = (key: Uint8Array) => {
        hash.update(key);
        return filter.mayContain(hash.first, hash.second);
      };
      expect(keys.every(knows)).toBe(true);
      let passed = 0;
      for (let i = 0; i < 20_000; i++) if (knows(anyKey())) passed++;
      expect(passed / 20_000).toBeLessThan(0.015);
      expect(filter.byteLength).toBeLessThan(80 + (count * 10.1) / 8);
    }
  });

  it("of zero bits is none", async () => {
    const builder = new FilterBuilder(0);
    builder.add(1, 2);
    expect(await builder.finish()).toBeUndefined();
  });

  it("that no writer writes is refused", () => {
    for (const length of [0, 7, 8, 71, 72, 73])
      expect(() => new Filter(new Uint8Array(length), "t", 9)).toThrow("t is damaged at offset 9");
    const other = new Uint8Array(72);
    other[64] = 1;
    other[65] = 6;
    other[68] = 2;
    expect(() => new Filter(other, "t", 9)).toThrow("not those of 2 lines");
  });
});
