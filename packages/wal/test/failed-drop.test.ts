import { KayaError } from "@kaya/core";
import { type Disk, SimDisk } from "@kaya/io";
import { expect, it } from "vitest";
import { type WalPayload, type WalRecord, WalWriter } from "../src/index.js";

const put = (key: string, length = 60): WalPayload => ({
  type: "put",
  key: Buffer.from(key),
  value: Buffer.alloc(length),
});

it.each(["strict", "relaxed"] as const)(
  "a %s write under way while dropping segments fails for good is rejected, and never applied (W4)",
  async (mode) => {
    const disk = new SimDisk();
    let fails = false;
    let release = (): void => undefined;
    let held: Promise<void> | undefined;
    const intercepted: Disk = {
      open: async (path, options) => {
        const file = await disk.open(path, options);
        return {
          path: file.path,
          syncsBeside: file.syncsBeside,
          hasNameSync: () => file.hasNameSync(),
          appendSync: (bytes) => file.appendSync(bytes),
          writeAtSync: (position, bytes, expectedLength) => file.writeAtSync(position, bytes, expectedLength),
          truncateSync: (length) => file.truncateSync(length),
          syncSync: () => file.syncSync(),
          length: () => file.length(),
          links: () => file.links(),
          readAt: (position, into) => file.readAt(position, into),
          readAtSync: (position, into) => file.readAtSync(position, into),
          writeAt: (position, bytes, expectedLength) => file.writeAt(position, bytes, expectedLength),
          truncate: (length) => file.truncate(length),
          close: () => file.close(),
          append: async (bytes) => {
            const start = await file.append(bytes);
            if (mode === "relaxed") await held;
            return start;
          },
          sync: async () => {
            await file.sync();
            await held;
          },
        };
      },
      list: (dir) => disk.list(dir),
      rename: (from, to) => disk.rename(from, to),
      remove: (path) => disk.remove(path),
      lock: (path) => disk.lock(path),
      syncDir: async (dir) => {
        if (fails) throw new KayaError("KAYA_FSYNC_FAILED", "the directory could not be synced");
        await disk.syncDir(dir);
      },
    };
    const applied: number[] = [];
    const writer = await WalWriter.open({ segmentMaxBytes: 300, maxRecordBytes: 300 }, intercepted, {
      onCommit: ({ lsn }: WalRecord) => applied.push(lsn),
    });
    await writer.append(put("a", 180));
    await writer.append(put("b"));
    expect(writer.size.segments).toBe(2);

    held = new Promise((resolve) => {
      release = resolve;
    });
    const write = writer.append(put("c"), mode).catch((error: unknown) => error);
    await new Promise(setImmediate);
    fails = true;
    await expect(writer.dropSegmentsBefore(2)).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    release();
    await new Promise(setImmediate);
    expect(await write).toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    expect(applied).toEqual([1, 2]);
    await writer.close();
  },
);
