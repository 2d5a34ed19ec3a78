import assert from "node:assert/strict";
import type { DiskFile } from "../disk.js";
import { type Check, holds, pattern, rejectsWith, text } from "./check.js";

const MiB = 2 ** 20;

type Read = (file: DiskFile, position: number, into: Uint8Array) => Promise<number>;

/** Checks of both ways to read. */
function readChecks(name: string, read: Read): readonly Check[] {
  return [
    {
      name: `${name} fills what it is given, and fewer bytes only at the end`,
      run: async ({ open }) => {
        const file = await open("file");
        await file.append(pattern(100));
        const whole = new Uint8Array(40);
        assert.equal(await read(file, 30, whole), 40);
        assert.deepEqual(whole, pattern(40, 30));
        const across = new Uint8Array(40).fill(255);
        assert.equal(await read(file, 90, across), 10);
        assert.deepEqual(across, Uint8Array.from([...pattern(10, 90), ...new Array<number>(30).fill(255)]));
      },
    },
    {
      name: `${name} at and behind the end, and of nothing, gives 0`,
      run: async ({ open }) => {
        const file = await open("file");
        await file.append(text("abc"));
        assert.equal(await read(file, 3, new Uint8Array(1)), 0);
        assert.equal(await read(file, 1_000_000, new Uint8Array(1)), 0);
        assert.equal(await read(file, 0, new Uint8Array(0)), 0);
      },
    },
    {
      name: `${name} fills a part of a larger buffer and nothing beside it`,
      run: async ({ open }) => {
        const file = await open("file");
        await file.append(text("abc"));
        const buffer = new Uint8Array(5);
        assert.equal(await read(file, 0, buffer.subarray(1, 4)), 3);
        assert.deepEqual(buffer, text("\0abc\0"));
      },
    },
    {
      name: `${name} from no whole number >= 0, or into no Uint8Array, is KAYA_INVALID_ARGUMENT`,
      run: async ({ open }) => {
        const file = await open("file");
        await file.append(text("abc"));
        for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53])
          await rejectsWith("KAYA_INVALID_ARGUMENT", read(file, wrong, new Uint8Array(1)));
        await rejectsWith("KAYA_INVALID_ARGUMENT", read(file, 0, "text" as unknown as Uint8Array));
      },
    },
    {
      name: `${name} of a closed file is KAYA_CLOSED`,
      run: async ({ open }) => {
        const file = await open("file");
        await file.append(text("abc"));
        await file.close();
        await rejectsWith("KAYA_CLOSED", read(file, 0, new Uint8Array(1)));
      },
    },
  ];
}

export const dataChecks: readonly Check[] = [
  {
    name: "append gives the offset where it began",
    run: async ({ open }) => {
      const file = await open("file");
      assert.equal(await file.append(text("one")), 0);
      assert.equal(await file.append(text("three")), 3);
      assert.equal(await file.length(), 8);
      await holds(file, "onethree");
    },
  },
  {
    name: "append writes a list of parts one behind the other",
    run: async ({ open }) => {
      const file = await open("file");
      await file.append(text("<"));
      assert.equal(await file.append([text("a"), new Uint8Array(0), text("bc"), text("d")]), 1);
      await holds(file, "<abcd");
    },
  },
  {
    // More parts than a system takes in one write (1,024 on Linux), and too many bytes for a synchronous one.
    name: "append writes a list of thousands of parts, short and long",
    run: async ({ open }) => {
      const file = await open("file");
      const parts = Array.from({ length: 3000 }, (_, i) =>
        new Uint8Array(i % 1000 === 7 ? 100_000 : i % 60).fill(i),
      );
      const content = Buffer.concat(parts);
      assert.equal(await file.append(parts), 0);
      assert.equal(await file.append(parts.slice(0, 2)), content.length);
      const read = new Uint8Array(content.length);
      assert.equal(await file.readAt(0, read), content.length);
      assert.ok(content.equals(read));
    },
  },
  {
    name: "append of nothing changes nothing and gives the end",
    run: async ({ open }) => {
      const file = await open("file");
      await file.append(text("abc"));
      assert.equal(await file.append(new Uint8Array(0)), 3);
      assert.equal(await file.append([]), 3);
      assert.equal(await file.length(), 3);
    },
  },
  {
    name: "append goes on behind what writeAt and truncate left as the end",
    run: async ({ open }) => {
      const file = await open("file");
      await file.writeAt(4, text("x"));
      assert.equal(await file.append(text("y")), 5);
      await file.truncate(2);
      assert.equal(await file.append(text("z")), 2);
      await holds(file, "\0\0z");
    },
  },
  {
    name: "writeAt replaces bytes and leaves the others",
    run: async ({ open }) => {
      const file = await open("file");
      await file.append(text("abcdef"));
      await file.writeAt(2, text("XY"));
      await holds(file, "abXYef");
      await file.writeAt(5, text("LONG"));
      await holds(file, "abXYeLONG");
    },
  },
  {
    name: "writeAt gives the length from before",
    run: async ({ open }) => {
      const file = await open("file");
      assert.equal(await file.writeAt(0, text("abcdef")), 0);
      assert.equal(await file.writeAt(2, text("XY")), 6);
      assert.equal(await file.writeAt(5, text("LONG")), 6);
      assert.equal(await file.writeAt(100, new Uint8Array(0)), 9);
      assert.equal(await file.append(text("!")), 9);
      await holds(file, "abXYeLONG!");
    },
  },
  {
    name: "writeAt writes nothing to a file that is not as long as expected",
    run: async ({ open }) => {
      const file = await open("file");
      await file.append(text("abcdef"));
      for (const large of [false, true]) {
        const bytes = large ? new Uint8Array(100_000) : text("XY");
        for (const expected of [0, 5, 7]) assert.equal(await file.writeAt(2, bytes, expected), 6);
        await holds(file, "abcdef");
      }
      assert.equal(await file.writeAt(2, text("XY"), 6), 6);
      await holds(file, "abXYef");
    },
  },
  {
    name: "writeAt behind the end leaves a gap of zeros",
    run: async ({ open }) => {
      const file = await open("file");
      await file.append(text("a"));
      await file.writeAt(10_000, text("b"));
      const expected = new Uint8Array(10_001);
      expected.set(text("a"));
      expected.set(text("b"), 10_000);
      await holds(file, expected);
    },
  },
  {
    name: "writeAt of nothing behind the end changes nothing",
    run: async ({ open }) => {
      const file = await open("file");
      await file.writeAt(10, new Uint8Array(0));
      assert.equal(await file.length(), 0);
    },
  },
  {
    name: "truncate cuts, and what was cut does not come back",
    run: async ({ open }) => {
      const file = await open("file");
      await file.append(text("abcdef"));
      await file.truncate(2);
      await holds(file, "ab");
      await file.truncate(6);
      await holds(file, "ab\0\0\0\0");
      await file.truncate(2);
      await file.writeAt(4, text("x"));
      await holds(file, "ab\0\0x");
    },
  },
  {
    name: "truncate extends with zeros",
    run: async ({ open }) => {
      const file = await open("file");
      await file.truncate(5000);
      await holds(file, new Uint8Array(5000));
    },
  },
  ...readChecks("readAt", (file, position, into) => file.readAt(position, into)),
  ...readChecks("readAtSync", async (file, position, into) => file.readAtSync(position, into)),
  {
    name: "readAtSync sees what was written before, also what is not synced, and waits for nothing",
    run: async ({ open }) => {
      const file = await open("file");
      await file.append(text("abc"));
      const into = new Uint8Array(3);
      const appended = file.append(pattern(200_000));
      assert.equal(file.readAtSync(0, into), 3);
      assert.deepEqual(into, text("abc"));
      await appended;
      const behind = new Uint8Array(200_000);
      assert.equal(file.readAtSync(3, behind), 200_000);
      assert.ok(Buffer.from(behind).equals(pattern(200_000)));
    },
  },
  {
    name: "writes take exactly the part of a larger buffer that they are given",
    run: async ({ open }) => {
      const file = await open("file");
      const buffer = text("0123456789");
      await file.append(buffer.subarray(2, 4));
      await file.append([buffer.subarray(4, 5), buffer.subarray(8)]);
      await file.writeAt(1, buffer.subarray(9));
      await holds(file, "29489");
    },
  },
  {
    name: "writes of several MiB arrive whole",
    run: async ({ open }) => {
      const file = await open("file");
      const large = pattern(3 * MiB + 17);
      assert.equal(await file.append(large), 0);
      assert.equal(await file.append([large.subarray(0, MiB), large.subarray(MiB)]), large.length);
      const back = new Uint8Array(large.length);
      assert.equal(await file.readAt(large.length, back), large.length);
      assert.ok(Buffer.from(back).equals(large), "the second half differs");
      assert.equal(await file.readAt(0, back), large.length);
      assert.ok(Buffer.from(back).equals(large), "the first half differs");
    },
  },
  {
    name: "sync resolves, also where nothing is to do, and changes no byte",
    run: async ({ open }) => {
      const file = await open("file");
      await file.sync();
      await file.append(text("abc"));
      await file.sync();
      await file.sync();
      await holds(file, "abc");
    },
  },
  {
    name: "a position or length that is no whole number >= 0 is KAYA_INVALID_ARGUMENT",
    run: async ({ open }) => {
      const file = await open("file");
      await file.append(text("abc"));
      for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        await rejectsWith("KAYA_INVALID_ARGUMENT", file.readAt(wrong, new Uint8Array(1)));
        await rejectsWith("KAYA_INVALID_ARGUMENT", file.writeAt(wrong, text("x")));
        await rejectsWith("KAYA_INVALID_ARGUMENT", file.truncate(wrong));
      }
      await holds(file, "abc");
    },
  },
  {
    name: "what is no Uint8Array is KAYA_INVALID_ARGUMENT",
    run: async ({ open }) => {
      const file = await open("file");
      const wrong = "text" as unknown as Uint8Array;
      await rejectsWith("KAYA_INVALID_ARGUMENT", file.append(wrong));
      await rejectsWith("KAYA_INVALID_ARGUMENT", file.append([text("a"), wrong]));
      await rejectsWith("KAYA_INVALID_ARGUMENT", file.writeAt(0, wrong));
      await rejectsWith("KAYA_INVALID_ARGUMENT", file.readAt(0, wrong));
      assert.equal(await file.length(), 0);
    },
  },
];
