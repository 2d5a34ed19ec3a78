import { afterAll, describe, expect, it } from "vitest";
import { NodeDisk } from "../src/index.js";
import { pattern, readAll, rejectsWith, text } from "../src/testing/check.js";
import { mountTmpfs } from "./mounted-tmpfs.js";

const full = mountTmpfs("256k");
const readOnly = mountTmpfs("64k");
afterAll(() => {
  full?.unmount();
  readOnly?.unmount();
});

describe.skipIf(full === undefined)(
  "NodeDisk on a full disk (skipped where mounting a tmpfs is not permitted)",
  () => {
    const disk = new NodeDisk(full?.path ?? "");
    afterAll(() => disk.close()); // or the file system is busy when it is unmounted

    it("rejects with KAYA_DISK_FULL and goes on with the same file once there is space", async () => {
      const filler = await disk.open("filler", { create: true });
      const file = await disk.open("file", { create: true });
      await file.append(text("before"));
      await filler.append(pattern(128 * 1024));

      await rejectsWith("KAYA_DISK_FULL", file.append(pattern(256 * 1024)));
      expect(await file.length()).toBeGreaterThan(6); // a short write: the part that fitted is in the file
      await file.truncate(6);
      await file.sync();

      await filler.truncate(0);
      expect(await file.append(text(" after"))).toBe(6);
      await file.sync();
      expect(await readAll(file)).toEqual(text("before after"));
      await Promise.all([file.close(), filler.close()]);
    });

    it("can still be locked and released where the lock file was there before", async () => {
      await (await disk.lock("LOCK")).release({ clean: true });
      const filler = await disk.open("filler", { create: true });
      await rejectsWith("KAYA_DISK_FULL", filler.append(pattern(512 * 1024)));
      const lock = await disk.lock("LOCK");
      expect(lock.cleanStart).toBe(true);
      await rejectsWith("KAYA_LOCK_CONFLICT", disk.lock("LOCK"));
      await lock.release({ clean: true });
      await filler.truncate(0);
      await filler.close();
    });

    it("can be locked where the lock file is new, and then claims nothing about the last holder", async () => {
      const filler = await disk.open("filler", { create: true });
      await rejectsWith("KAYA_DISK_FULL", filler.append(pattern(512 * 1024)));
      const lock = await disk.lock("NEW");
      expect(lock.cleanStart).toBe(false);
      await rejectsWith("KAYA_LOCK_CONFLICT", disk.lock("NEW"));
      await lock.release();
      await filler.truncate(0);
      await filler.close();
    });
  },
);

describe.skipIf(readOnly === undefined)(
  "NodeDisk on a read-only mount (skipped where mounting is not permitted)",
  () => {
    it("reads, and refuses the rest with KAYA_IO", async () => {
      const writable = new NodeDisk(readOnly?.path ?? "");
      const made = await writable.open("dir/file", { create: true });
      await made.append(text("content"));
      await made.close();
      readOnly?.remount("ro");

      const disk = new NodeDisk(readOnly?.path ?? "");
      const file = await disk.open("dir/file", { readOnly: true });
      expect(await readAll(file)).toEqual(text("content"));
      await file.close();
      expect((await disk.list("dir")).map((entry) => entry.path)).toEqual(["dir/file"]);
      await rejectsWith("KAYA_IO", disk.open("dir/file"));
      await rejectsWith("KAYA_IO", disk.open("dir/new", { create: true }));
      await rejectsWith("KAYA_IO", disk.open("new/file", { create: true }));
      await rejectsWith("KAYA_IO", disk.rename("dir/file", "dir/other"));
      await rejectsWith("KAYA_IO", disk.remove("dir/file"));
      await rejectsWith("KAYA_IO", disk.lock("LOCK"));
      await Promise.all([writable.close(), disk.close()]);
    });
  },
);
