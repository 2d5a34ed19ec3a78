import assert from "node:assert/strict";
import { type Check, holds, rejectsWith, text } from "./check.js";

const file = (path: string, length = 0) => ({ path, isDirectory: false, length });
const directory = (path: string) => ({ path, isDirectory: true, length: 0 });

export const directoryChecks: readonly Check[] = [
  {
    name: "list of an absent directory is empty",
    run: async ({ disk }) => {
      assert.deepEqual(await disk.list(""), []);
      assert.deepEqual(await disk.list("absent"), []);
      assert.deepEqual(await disk.list("absent/deeper"), []);
    },
  },
  {
    name: "list gives the entries of one directory, sorted by path, with their lengths",
    run: async ({ disk, open }) => {
      for (const path of ["b", "a10", "a9", "B", "sub/inner", "sub/deep/x", "é"]) await open(path);
      await (await open("b")).append(text("12345"));
      const expected = [file("B"), file("a10"), file("a9"), file("b", 5), directory("sub"), file("é")];
      assert.deepEqual(await disk.list(""), expected);
      assert.deepEqual(await disk.list("sub"), [directory("sub/deep"), file("sub/inner")]);
      assert.deepEqual(await disk.list("./sub//"), await disk.list("sub"));
    },
  },
  {
    name: "list of a file, or through one, is KAYA_INVALID_ARGUMENT",
    run: async ({ disk, open }) => {
      await open("file");
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.list("file"));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.list("file/below"));
    },
  },
  {
    name: "rename gives a file another name",
    run: async ({ disk, open }) => {
      await (await open("dir/from")).append(text("content"));
      await disk.rename("dir/from", "dir/to");
      assert.deepEqual(await disk.list("dir"), [file("dir/to", 7)]);
      await holds(await open("dir/to", {}), "content");
    },
  },
  {
    name: "rename replaces what has the name; handles stay with the file that they opened",
    run: async ({ disk, open }) => {
      const replacing = await open("from");
      const replaced = await open("to");
      await replacing.append(text("new"));
      await replaced.append(text("old"));
      await disk.rename("from", "to");
      assert.deepEqual(await disk.list(""), [file("to", 3)]);
      await holds(await open("to", {}), "new");
      await holds(replaced, "old");
      await replacing.append(text("er"));
      await holds(await open("to", {}), "newer");
    },
  },
  {
    name: "rename makes the parent directories of the new name",
    run: async ({ disk, open }) => {
      await (await open("from")).append(text("x"));
      await disk.rename("from", "a/b/to");
      assert.deepEqual(await disk.list(""), [directory("a")]);
      assert.deepEqual(await disk.list("a/b"), [file("a/b/to", 1)]);
    },
  },
  {
    name: "rename to the same name changes nothing",
    run: async ({ disk, open }) => {
      await (await open("file")).append(text("x"));
      await disk.rename("file", "./file");
      assert.deepEqual(await disk.list(""), [file("file", 1)]);
    },
  },
  {
    name: "rename of an absent file is KAYA_NOT_FOUND and changes nothing",
    run: async ({ disk, open }) => {
      await (await open("to")).append(text("x"));
      await rejectsWith("KAYA_NOT_FOUND", disk.rename("absent", "to"));
      await rejectsWith("KAYA_NOT_FOUND", disk.rename("absent", "new/to"));
      assert.deepEqual(await disk.list(""), [file("to", 1)]);
    },
  },
  {
    name: "rename of a directory, onto one, or through a file is KAYA_INVALID_ARGUMENT",
    run: async ({ disk, open }) => {
      await open("dir/file");
      await open("file");
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.rename("dir", "other"));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.rename("file", "dir"));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.rename("dir/file", "file/below"));
      assert.deepEqual(await disk.list(""), [directory("dir"), file("file")]);
      assert.deepEqual(await disk.list("dir"), [file("dir/file")]);
    },
  },
  {
    name: "remove takes the name away; handles that are open go on working",
    run: async ({ disk, open }) => {
      const removed = await open("dir/file");
      await removed.append(text("still "));
      await disk.remove("dir/file");
      assert.deepEqual(await disk.list("dir"), []);
      await rejectsWith("KAYA_NOT_FOUND", disk.open("dir/file"));
      await removed.append(text("here"));
      await removed.sync();
      await holds(removed, "still here");
      const again = await open("dir/file");
      assert.equal(await again.length(), 0);
    },
  },
  {
    name: "remove of an absent file is no error",
    run: async ({ disk }) => {
      await disk.remove("absent");
      await disk.remove("absent/deeper");
    },
  },
  {
    name: "remove of a directory is KAYA_INVALID_ARGUMENT",
    run: async ({ disk, open }) => {
      await open("dir/file");
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.remove("dir"));
      assert.deepEqual(await disk.list("dir"), [file("dir/file")]);
    },
  },
  {
    name: "syncDir resolves for the root and for any directory",
    run: async ({ disk, open }) => {
      await open("a/b/c");
      await disk.syncDir("a/b");
      await disk.syncDir("a");
      await disk.syncDir("");
    },
  },
  {
    name: "syncDir of what is no directory is KAYA_NOT_FOUND or KAYA_INVALID_ARGUMENT",
    run: async ({ disk, open }) => {
      await open("file");
      if (process.platform === "win32") return; // has no fsync of directories, so nothing is opened
      await rejectsWith("KAYA_NOT_FOUND", disk.syncDir("absent"));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.syncDir("file"));
    },
  },
];
