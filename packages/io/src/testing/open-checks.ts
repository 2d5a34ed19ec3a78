import assert from "node:assert/strict";
import { type Check, holds, rejectsWith, text } from "./check.js";

export const openChecks: readonly Check[] = [
  {
    name: "open of an absent file is KAYA_NOT_FOUND",
    run: async ({ disk }) => {
      await rejectsWith("KAYA_NOT_FOUND", disk.open("absent"));
      await rejectsWith("KAYA_NOT_FOUND", disk.open("absent/deeper"));
      await rejectsWith("KAYA_NOT_FOUND", disk.open("absent", { readOnly: true }));
      assert.deepEqual(await disk.list(""), []);
    },
  },
  {
    name: "open with create makes an empty file",
    run: async ({ open }) => {
      const file = await open("new");
      assert.equal(file.path, "new");
      assert.equal(await file.length(), 0);
    },
  },
  {
    name: "open with create makes the parent directories",
    run: async ({ disk, open }) => {
      await open("a/b/c");
      assert.deepEqual(await disk.list(""), [{ path: "a", isDirectory: true, length: 0 }]);
      assert.deepEqual(await disk.list("a"), [{ path: "a/b", isDirectory: true, length: 0 }]);
      assert.deepEqual(await disk.list("a/b"), [{ path: "a/b/c", isDirectory: false, length: 0 }]);
    },
  },
  {
    name: "open with create leaves an existing file as it is",
    run: async ({ open }) => {
      await (await open("file")).append(text("kept"));
      await holds(await open("file"), "kept");
    },
  },
  {
    name: "open with exclusive makes a file, and refuses and keeps one that is there",
    run: async ({ disk, open }) => {
      const exclusive = { create: true, exclusive: true };
      await (await open("file", exclusive)).append(text("kept"));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("file", exclusive));
      await holds(await open("file", {}), "kept");
    },
  },
  {
    name: "open normalises the path that a file reports",
    run: async ({ open }) => {
      const file = await open("./a//b/./c");
      assert.equal(file.path, "a/b/c");
      await file.append(text("x"));
      await holds(await open("a/b/c", {}), "x");
    },
  },
  {
    name: "open of a directory is KAYA_INVALID_ARGUMENT",
    run: async ({ disk, open }) => {
      await open("dir/file");
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("dir"));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("dir", { create: true }));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("dir", { readOnly: true }));
    },
  },
  {
    name: "open through a file is KAYA_INVALID_ARGUMENT and makes nothing",
    run: async ({ disk, open }) => {
      await open("file");
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("file/below"));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("file/below", { create: true }));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("file/deep/below", { create: true }));
      assert.deepEqual(await disk.list(""), [{ path: "file", isDirectory: false, length: 0 }]);
    },
  },
  {
    name: "a read-only file reads, and refuses every mutation with KAYA_INVALID_ARGUMENT",
    run: async ({ open }) => {
      await (await open("file")).append(text("content"));
      const file = await open("file", { readOnly: true });
      await rejectsWith("KAYA_INVALID_ARGUMENT", file.append(text("x")));
      await rejectsWith("KAYA_INVALID_ARGUMENT", file.writeAt(0, text("x")));
      await rejectsWith("KAYA_INVALID_ARGUMENT", file.truncate(0));
      await rejectsWith("KAYA_INVALID_ARGUMENT", file.sync());
      await holds(file, "content");
    },
  },
  {
    name: "open with create and readOnly makes the file too",
    run: async ({ open }) => {
      const file = await open("file", { create: true, readOnly: true });
      assert.equal(await file.length(), 0);
    },
  },
  {
    name: "two handles of one file see each other's writes",
    run: async ({ open }) => {
      const first = await open("file");
      const second = await open("file");
      await first.append(text("one "));
      assert.equal(await second.append(text("two ")), 4);
      await first.append(text("three"));
      await holds(first, "one two three");
      await holds(second, "one two three");
      await second.truncate(3);
      assert.equal(await first.length(), 3);
    },
  },
];
