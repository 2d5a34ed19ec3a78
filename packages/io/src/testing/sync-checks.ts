import assert from "node:assert/strict";
import { KayaError, type KayaErrorCode } from "@kaya/core";
import type { Disk } from "../disk.js";
import { type Check, type CheckContext, holds, pattern, text } from "./check.js";

/** Asserts that a call throws a KayaError of this code. */
function throwsWith(code: KayaErrorCode, run: () => unknown): void {
  assert.throws(run, (error) => KayaError.is(error, code) && error.message.length > 0);
}

type SynchronousDisk = Disk &
  Required<Pick<Disk, "createSync" | "renameSync" | "removeSync" | "syncDirSync">>;

/** A disk has all synchronous methods or none; without them these checks do nothing. */
function onDisk(run: (disk: SynchronousDisk, context: CheckContext) => Promise<void>): Check["run"] {
  return async (context) => {
    const { disk } = context;
    const has = [disk.createSync, disk.renameSync, disk.removeSync, disk.syncDirSync].map(
      (method) => method !== undefined,
    );
    assert.equal(new Set(has).size, 1, "some synchronous methods are there, and some are not");
    if (has[0] === true) await run(disk as SynchronousDisk, context);
  };
}

/** A synchronous method does the same as its twin, before it returns. */
export const syncChecks: readonly Check[] = [
  {
    name: "appendSync gives the offset where it began, and the bytes are there at once",
    run: async ({ open }) => {
      const file = await open("file");
      assert.equal(file.appendSync(text("one")), 0);
      assert.equal(file.appendSync([text("th"), new Uint8Array(0), text("ree")]), 3);
      assert.equal(file.appendSync([]), 8);
      const into = new Uint8Array(8);
      assert.equal(file.readAtSync(0, into), 8);
      assert.deepEqual(into, text("onethree"));
    },
  },
  {
    name: "appendSync and append go on behind one another, and behind what writeAt and truncate left as the end",
    run: async ({ open }) => {
      const file = await open("file");
      await file.append(text("a"));
      assert.equal(file.appendSync(text("b")), 1);
      assert.equal(await file.append(text("c")), 2);
      await file.writeAt(5, text("x"));
      assert.equal(file.appendSync(text("y")), 6);
      await file.truncate(2);
      assert.equal(file.appendSync(text("z")), 2);
      file.truncateSync(1);
      assert.equal(file.appendSync(text("end")), 1);
      await holds(file, "aend");
    },
  },
  {
    name: "writeAtSync does what writeAt does, and both know where the file ends behind the other",
    run: async ({ open }) => {
      const file = await open("file");
      file.appendSync(text("abcdef"));
      assert.equal(file.writeAtSync(2, text("XY"), 5), 6);
      assert.equal(file.writeAtSync(2, text("XY"), 6), 6);
      assert.equal(await file.writeAt(5, text("LONG"), 6), 6);
      assert.equal(file.writeAtSync(0, text("!"), 9), 9);
      assert.equal(file.writeAtSync(11, text("gap")), 9);
      assert.equal(file.appendSync(text(".")), 14);
      await holds(file, "!bXYeLONG\0\0gap.");
    },
  },
  {
    name: "appendSync writes several MiB whole, and takes exactly the part of a buffer that it is given",
    run: async ({ open }) => {
      const file = await open("file");
      const large = pattern(2 * 2 ** 20 + 17);
      assert.equal(file.appendSync(large.subarray(1)), 0);
      const back = new Uint8Array(large.length);
      assert.equal(await file.readAt(0, back), large.length - 1);
      assert.ok(Buffer.from(back.subarray(0, -1)).equals(large.subarray(1)));
    },
  },
  {
    name: "truncateSync cuts, and extends with zeros",
    run: async ({ open }) => {
      const file = await open("file");
      file.appendSync(text("abcdef"));
      file.truncateSync(2);
      await holds(file, "ab");
      file.truncateSync(4);
      await holds(file, "ab\0\0");
    },
  },
  {
    name: "syncSync returns, also where nothing is to do, and changes no byte",
    run: async ({ open }) => {
      const file = await open("file");
      file.syncSync();
      file.appendSync(text("abc"));
      file.syncSync();
      file.syncSync();
      await holds(file, "abc");
    },
  },
  {
    name: "beside a sync that is under way, what is synchronous is done at once, but for a second sync where that cannot be",
    run: async ({ open }) => {
      const file = await open("file", { create: true, syncsBeside: true });
      file.appendSync(text("a"));
      const syncing = file.sync();
      assert.equal(file.appendSync(text("b")), 1);
      if (file.syncsBeside) file.syncSync();
      else throwsWith("KAYA_BUSY", () => file.syncSync());
      file.appendSync(text("c"));
      file.truncateSync(2);
      await syncing;
      file.syncSync();
      await holds(file, "ab");
    },
  },
  {
    name: "what is synchronous never overtakes a write that is under way",
    run: async ({ open }) => {
      const file = await open("file");
      const large = pattern(300_000);
      const appending = file.append(large);
      try {
        assert.equal(file.appendSync(text("b")), large.length);
        file.syncSync();
        await appending;
      } catch (error) {
        assert.ok(KayaError.is(error, "KAYA_BUSY"), String(error));
        for (const change of [() => file.truncateSync(0), () => file.syncSync()])
          throwsWith("KAYA_BUSY", change);
        await appending;
        assert.equal(file.appendSync(text("b")), large.length);
      }
      assert.equal(await file.length(), large.length + 1);
    },
  },
  {
    name: "hasNameSync says whether the path leads to the file: not once it was moved, removed or replaced",
    run: async ({ disk, open }) => {
      const file = await open("file");
      assert.equal(file.hasNameSync(), true);
      await disk.rename("file", "moved");
      assert.equal(file.hasNameSync(), false);
      const other = await open("file");
      assert.deepEqual([file.hasNameSync(), other.hasNameSync()], [false, true]);
      await disk.remove("file");
      assert.equal(other.hasNameSync(), false);
    },
  },
  {
    name: "what is synchronous refuses wrong arguments, read-only files and closed ones",
    run: async ({ open }) => {
      const file = await open("file");
      throwsWith("KAYA_INVALID_ARGUMENT", () => file.appendSync("text" as unknown as Uint8Array));
      for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53])
        throwsWith("KAYA_INVALID_ARGUMENT", () => file.truncateSync(wrong));
      assert.equal(await file.length(), 0);
      const reading = await open("file", { readOnly: true });
      for (const each of [reading, file]) {
        const code = each === file ? "KAYA_CLOSED" : "KAYA_INVALID_ARGUMENT";
        if (each === file) await file.close();
        throwsWith(code, () => each.appendSync(text("x")));
        throwsWith(code, () => each.truncateSync(0));
        throwsWith(code, () => each.syncSync());
      }
    },
  },
  {
    name: "renameSync gives a file another name, replacing what has it",
    run: onDisk(async (disk, { open }) => {
      (await open("from")).appendSync(text("new"));
      (await open("dir/to")).appendSync(text("old"));
      disk.renameSync("from", "dir/to");
      await holds(await open("dir/to", {}), "new");
      disk.renameSync("dir/to", "other/to");
      assert.deepEqual(await disk.list("dir"), []);
      throwsWith("KAYA_NOT_FOUND", () => disk.renameSync("absent", "x"));
      throwsWith("KAYA_INVALID_ARGUMENT", () => disk.renameSync("dir", "x"));
    }),
  },
  {
    name: "createSync makes a file, which must be absent, and its directories",
    run: onDisk(async (disk, { open }) => {
      await open("dir/first");
      const file = disk.createSync("dir/second", { like: "dir/first", syncsBeside: true });
      try {
        assert.equal(file.path, "dir/second");
        assert.equal(file.appendSync(text("abc")), 0);
        file.syncSync();
        disk.syncDirSync("dir");
        assert.equal(await file.append(pattern(100_000)), 3);
        await file.truncate(5);
        await file.sync();
        assert.equal(await file.length(), 5);
        assert.equal(await file.links(), 1);
        throwsWith("KAYA_INVALID_ARGUMENT", () => disk.createSync("dir/second"));
        throwsWith("KAYA_INVALID_ARGUMENT", () => disk.createSync("dir/first"));
        throwsWith("KAYA_INVALID_ARGUMENT", () => disk.createSync("../outside"));
        await holds(await open("dir/second", {}), "abc\0\u0001");
      } finally {
        await file.close();
        await file.close();
      }
      throwsWith("KAYA_CLOSED", () => file.appendSync(text("x")));
      await disk.createSync("new/below/file").close();
      assert.equal((await disk.list("new/below")).length, 1);
    }),
  },
  {
    name: "removeSync removes the name of a file; no error where it is absent",
    run: onDisk(async (disk, { open }) => {
      const file = await open("dir/file");
      disk.removeSync("dir/file");
      disk.removeSync("dir/file");
      assert.deepEqual(await disk.list("dir"), []);
      file.appendSync(text("goes on"));
      await holds(file, "goes on");
      throwsWith("KAYA_INVALID_ARGUMENT", () => disk.removeSync("dir"));
    }),
  },
  {
    name: "syncDirSync of no directory throws what syncDir rejects with",
    run: onDisk(async (disk, { open }) => {
      await open("file");
      disk.syncDirSync("");
      const rejected = await disk.syncDir("absent").catch((error: unknown) => error);
      assert.ok(KayaError.is(rejected));
      throwsWith(rejected.code, () => disk.syncDirSync("absent"));
    }),
  },
];
