import assert from "node:assert/strict";
import { type Check, rejectsWith } from "./check.js";

export const lockChecks: readonly Check[] = [
  {
    name: "lock makes the lock file, with its parent directories, and release leaves it",
    run: async ({ disk }) => {
      const lock = await disk.lock("dir/LOCK");
      await lock.release();
      assert.deepEqual(
        (await disk.list("dir")).map((entry) => entry.path),
        ["dir/LOCK"],
      );
    },
  },
  {
    name: "a lock that is held is KAYA_LOCK_CONFLICT until it is released",
    run: async ({ disk }) => {
      const lock = await disk.lock("LOCK");
      await rejectsWith("KAYA_LOCK_CONFLICT", disk.lock("LOCK"));
      await rejectsWith("KAYA_LOCK_CONFLICT", disk.lock("./LOCK"));
      await lock.release();
      await (await disk.lock("LOCK")).release();
    },
  },
  {
    name: "a lock that is released with remove leaves no file, and can be taken again",
    run: async ({ disk }) => {
      const lock = await disk.lock("LOCK");
      await lock.release({ remove: true });
      assert.deepEqual(await disk.list(""), []);
      const next = await disk.lock("LOCK");
      assert.deepEqual([next.cleanStart, next.lastMark], [false, undefined]);
      await rejectsWith("KAYA_LOCK_CONFLICT", disk.lock("LOCK"));
      await next.release({ clean: true, mark: "marked" });
      const marked = await disk.lock("LOCK");
      await marked.release({ remove: true });
      const last = await disk.lock("LOCK");
      assert.deepEqual([last.cleanStart, last.mark, last.lastMark], [false, undefined, undefined]);
      await last.release();
    },
  },
  {
    name: "removing the file of a lock leaves the disk usable under another lock",
    run: async ({ disk }) => {
      const outer = await disk.lock("LOCK");
      const inner = await disk.lock("dir/LOCK");
      await inner.release({ remove: true });
      await (await disk.open("file", { create: true })).close();
      assert.deepEqual(await disk.list("dir"), []);
      await outer.release();
    },
  },
  {
    name: "locks at different paths are independent",
    run: async ({ disk }) => {
      const first = await disk.lock("A");
      const second = await disk.lock("B");
      await first.release();
      await rejectsWith("KAYA_LOCK_CONFLICT", disk.lock("B"));
      await second.release();
    },
  },
  {
    name: "release twice is fine and does not let go of the next holder's lock",
    run: async ({ disk }) => {
      const first = await disk.lock("LOCK");
      await first.release();
      const second = await disk.lock("LOCK");
      await first.release({ clean: true });
      await rejectsWith("KAYA_LOCK_CONFLICT", disk.lock("LOCK"));
      await second.release();
      const third = await disk.lock("LOCK");
      assert.equal(third.cleanStart, false);
      await third.release();
    },
  },
  {
    name: "cleanStart is true only where the last holder released the lock as clean",
    run: async ({ disk }) => {
      const starts: boolean[] = [];
      for (const clean of [true, true, false, true]) {
        const lock = await disk.lock("LOCK");
        starts.push(lock.cleanStart);
        await lock.release({ clean });
      }
      assert.deepEqual(starts, [false, true, true, false]);
    },
  },
  {
    name: "the last mark that was left with clean stays, whoever comes after it; mark is only of a clean release",
    run: async ({ disk }) => {
      const told: (string | undefined)[][] = [];
      for (const left of [
        { clean: true, mark: "a:1" },
        { clean: true },
        {},
        {},
        { clean: true, mark: "b:2" },
      ]) {
        const lock = await disk.lock("LOCK");
        told.push([lock.mark, lock.lastMark]);
        await lock.release(left);
      }
      assert.deepEqual(told, [
        [undefined, undefined],
        ["a:1", "a:1"],
        ["a:1", "a:1"],
        [undefined, "a:1"],
        [undefined, "a:1"],
      ]);
      const last = await disk.lock("LOCK");
      assert.deepEqual([last.mark, last.lastMark], ["b:2", "b:2"]);
      await last.release();
    },
  },
  {
    name: "a conflict does not change what the next holder learns",
    run: async ({ disk }) => {
      const first = await disk.lock("LOCK");
      await rejectsWith("KAYA_LOCK_CONFLICT", disk.lock("LOCK"));
      await first.release({ clean: true });
      const second = await disk.lock("LOCK");
      assert.equal(second.cleanStart, true);
      await second.release();
    },
  },
  {
    name: "lock of a directory, or through a file, is KAYA_INVALID_ARGUMENT",
    run: async ({ disk, open }) => {
      await open("dir/file");
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.lock("dir"));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.lock("dir/file/LOCK"));
    },
  },
];
