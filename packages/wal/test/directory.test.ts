import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { recoverWal, WalWriter } from "../src/index.js";
import { fill, put, segmentPath } from "./support.js";

const record = (key: string) => put(key, fill(51)); // 100 bytes for a key of one letter

/** A log whose segment is full: the next record rotates. Of a rotation, operation 2 creates the next segment. */
async function fullSegment(): Promise<{ disk: SimDisk; writer: WalWriter }> {
  const disk = new SimDisk();
  const writer = await WalWriter.open({ segmentMaxBytes: 100 }, disk);
  await writer.append(record("a"));
  return { disk, writer };
}

const CREATION = 2;

describe("W3: a segment that could not be created", () => {
  it("and cannot be taken away at once is taken away before anything is written", async () => {
    const { disk, writer } = await fullSegment();
    const at = disk.nextOperation + CREATION;
    disk.addFault({ at, kind: "io-error", outcome: "kept" });
    disk.addFault({ at: at + 1, kind: "io-error" });
    await expect(writer.append(record("b"))).rejects.toMatchObject({ code: "KAYA_IO" });
    expect(disk.readFile(segmentPath(2))?.length).toBe(0); // it is left behind
    expect([writer.failure, writer.isClean, writer.tailMark]).toEqual([undefined, false, undefined]);

    disk.addFault({ at: disk.nextOperation, kind: "io-error" });
    await expect(writer.append(record("c"))).rejects.toMatchObject({ code: "KAYA_IO" });
    expect(disk.readFile(segmentPath(1))?.length).toBe(100); // nothing was written to the one before it
    expect(await writer.append(record("d"))).toMatchObject({ lsn: 2, segmentId: 2 });
    expect(writer.isClean).toBe(true);
    await writer.close();
    expect((await recoverWal({}, disk)).recordCount).toBe(2);
  });

  it("because its name is taken is a second writer's, and is not taken away (W7)", async () => {
    const { disk, writer } = await fullSegment();
    disk.writeFile(segmentPath(2), fill(7)); // by somebody without the lock
    await expect(writer.append(record("b"))).rejects.toMatchObject({ code: "KAYA_INVARIANT_VIOLATION" });
    expect(disk.readFile(segmentPath(2))?.length).toBe(7);
  });

  it("because something else has the name of the one before it is final, and says so", async () => {
    const { disk, writer } = await fullSegment();
    disk.removeDurably(segmentPath(1));
    disk.writeFile(`${segmentPath(1)}/file`, fill(1)); // a directory now
    const error = await writer.append(record("b")).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    expect(String(error)).toContain(`${segmentPath(1)} is not there any more`);
    await expect(writer.append(record("c"))).rejects.toMatchObject({ code: "KAYA_WRITER_FAILED" });
  });
});

describe("W4: another directory that has the log's name", () => {
  it.each([1, 2, 3])(
    "from operation %i of a rotation on is final, and nothing is changed by name",
    async (place) => {
      const { disk, writer } = await fullSegment();
      disk.addFault({ at: disk.nextOperation + place, kind: "directory-replaced" });
      await expect(writer.append(record("b"))).rejects.toMatchObject({ code: "KAYA_DIRECTORY_REPLACED" });
      expect(writer.failure).toMatchObject({ code: "KAYA_DIRECTORY_REPLACED" });
      await expect(writer.append(record("c"))).rejects.toMatchObject({ code: "KAYA_WRITER_FAILED" });
      const refused = disk.events.findIndex(({ error }) => error === "KAYA_DIRECTORY_REPLACED");
      expect(disk.events.slice(refused + 1).map(({ kind }) => kind)).not.toContain("remove");
      await writer.close();
      disk.crash();
      expect((await recoverWal({}, disk)).recordCount).toBe(1); // what was acknowledged
    },
  );

  it("that something beside the log found ends the log as well; other failures do not", async () => {
    const { disk, writer } = await fullSegment();
    writer.noteFailure(new Error("another one"));
    expect(writer.failure).toBeUndefined();
    disk.replaceDirectory();
    const error = await disk.list("").catch((reason: unknown) => reason);
    writer.noteFailure(error);
    expect(writer.failure).toBe(error);
    await expect(writer.append(record("b"))).rejects.toMatchObject({
      code: "KAYA_WRITER_FAILED",
      cause: error,
    });
  });
});

it("a process without descriptors for a moment has its writes rejected with KAYA_IO, and the same writer goes on", async () => {
  const { disk, writer } = await fullSegment();
  disk.addFault({ atRead: disk.nextRead, kind: "no-descriptors" });
  await expect(writer.append(record("b"))).rejects.toMatchObject({ code: "KAYA_IO" });
  disk.addFault({ at: disk.nextOperation + CREATION, kind: "no-descriptors" });
  await expect(writer.append(record("c"))).rejects.toMatchObject({ code: "KAYA_IO" });
  expect(await writer.append(record("d"))).toMatchObject({ lsn: 2 });
  expect(writer.failure).toBeUndefined();
});
