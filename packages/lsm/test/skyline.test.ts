import { Random } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { Skyline } from "../src/merge/skyline.js";
import { bytes, text } from "./support/keys.js";

const range = (start: string, end: string | undefined, sequence: number) => ({
  start: bytes(start),
  end: end === undefined ? undefined : bytes(end),
  sequence,
});
const show = (skyline: Skyline) =>
  skyline.pieces.map(({ start, end, sequence }) => `[${text(start)},${end && text(end)})@${sequence}`);

describe("a skyline", () => {
  it("has of each place the highest sequence that covers it", () => {
    const skyline = Skyline.of([
      range("c", "d", 4),
      range("g", "h", 7),
      range("a", "z", 5),
      range("y", undefined, 1),
    ]);
    expect(show(skyline)).toEqual(["[a,g)@5", "[g,h)@7", "[h,z)@5", "[z,undefined)@1"]);
  });

  it("leaves out what is empty, and joins what touches with the same sequence", () => {
    expect(show(Skyline.of([range("b", "b", 9), range("c", "a", 9)]))).toEqual([]);
    expect(show(Skyline.of([range("a", "b", 3), range("b", "c", 3)]))).toEqual(["[a,c)@3"]);
    expect(Skyline.of([]).isEmpty).toBe(true);
  });

  it("hides everything in an extent only where no key of it is left, and its sequences are all lower", () => {
    const skyline = Skyline.of([range("a", "c", 5), range("c", "e", 7), range("f", undefined, 9)]);
    expect(skyline.hidesAll(bytes("b"), bytes("d"), 4)).toBe(true);
    expect(skyline.hidesAll(bytes("a"), bytes("e"), 4)).toBe(true);
    expect(skyline.hidesAll(bytes("b"), bytes("d"), 5)).toBe(false);
    expect(skyline.hidesAll(bytes("c"), bytes("d"), 6)).toBe(true);
    expect(skyline.hidesAll(bytes("d"), bytes("f"), 1)).toBe(false);
    expect(skyline.hidesAll(bytes(""), bytes("b"), 1)).toBe(false);
    expect(skyline.hidesAll(bytes("g"), undefined, 8)).toBe(true);
    expect(skyline.hidesAll(bytes("d"), undefined, 1)).toBe(false);
  });

  it.each([1, 2, 3, 4])("covers a key as the highest tombstone over it does (seed %i)", (seed) => {
    const random = new Random(seed);
    const letter = () => String.fromCharCode(97 + random.below(20));
    for (let round = 0; round < 200; round++) {
      const tombstones = Array.from({ length: random.below(12) }, (_, n) =>
        range(letter(), random.below(6) === 0 ? undefined : letter(), n + 1),
      );
      const skyline = Skyline.of(tombstones);
      for (let code = 96; code < 120; code++) {
        const key = bytes(String.fromCharCode(code));
        const covering = tombstones.filter(
          ({ start, end }) =>
            Buffer.compare(start, key) <= 0 && (end === undefined || Buffer.compare(key, end) < 0),
        );
        const highest = covering.reduce((most, { sequence }) => Math.max(most, sequence), 0);
        expect(skyline.covering(key)?.sequence ?? 0).toBe(highest);
      }
    }
  });
});
