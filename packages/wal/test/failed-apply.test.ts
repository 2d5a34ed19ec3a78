import type { DurabilityMode, KayaErrorCode } from "@kaya/core";
import { KayaError } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { WalWriter } from "../src/index.js";
import { outcome, plain, put } from "./support.js";

const CODES: readonly KayaErrorCode[] = [
  "KAYA_READ_ONLY",
  "KAYA_IO",
  "KAYA_DISK_FULL",
  "KAYA_INVALID_ARGUMENT",
  "KAYA_CLOSED",
  "KAYA_CONFLICT",
  "KAYA_FSYNC_FAILED",
  "KAYA_INVARIANT_VIOLATION",
  "KAYA_INTERNAL",
];

const THROWN: readonly (readonly [what: string, thrown: unknown])[] = [
  ...CODES.map((code) => [code, new KayaError(code, "injected")] as const),
  ["an error of the system", Object.assign(new Error("injected"), { code: "ENOSPC" })],
  ["a TypeError", new TypeError("injected")],
  ["a string", "injected"],
  ["undefined", undefined],
];

const text = (key: Uint8Array): string => Buffer.from(key).toString();

/** A writer whose `onCommit` throws at the record of this key. */
function failingAt(disk: SimDisk, key: string, thrown: unknown): Promise<WalWriter> {
  return WalWriter.open({}, disk, {
    onCommit: ({ payload }) => {
      if (payload.type === "put" && text(payload.key) === key) throw thrown;
    },
  });
}

describe("W4: what fails behind the write is final, whatever was thrown", () => {
  const modes: readonly DurabilityMode[] = ["strict", "relaxed"];
  it.each(THROWN.flatMap(([what, thrown]) => modes.map((mode) => ({ what, thrown, mode }))))(
    "$what while a $mode record is applied",
    async ({ thrown, mode }) => {
      const disk = new SimDisk();
      const writer = await failingAt(disk, "b", thrown);
      await writer.append(put("a"));
      const together = ["x", "b", "c"].map((key) => outcome(writer.append(put(key), mode)));
      for (const result of await Promise.all(together)) {
        expect(result).toMatchObject({ error: { code: expect.stringMatching(/FSYNC|INVARIANT|INTERNAL/) } });
      }
      expect(writer.failure).toBeDefined();
      expect(writer.nextLsn).toBe(5);
      await expect(writer.append(put("d"))).rejects.toMatchObject({ code: "KAYA_WRITER_FAILED" });
      await writer.close().catch(() => undefined);
      expect(writer.tailMark).toBeUndefined();

      disk.crash({ survive: "everything" });
      const found: string[] = [];
      const reopened = await WalWriter.open({}, disk, {
        onRecord: ({ record }) => found.push(...plain([record])),
      });
      expect(found).toEqual(
        ["a", "x", "b", "c"].map((key, i) => `${i + 1}/${i + 1} put ${key}=value of ${key}`),
      );
      expect(await reopened.append(put("d"))).toMatchObject({ lsn: 5, sequence: 5 });
      await reopened.close();
    },
  );

  it("is told with what was thrown, and that the next opening says whether the write is there", async () => {
    const thrown = new KayaError("KAYA_READ_ONLY", "no room to apply it");
    const writer = await failingAt(new SimDisk(), "b", thrown);
    const error = (await writer.append(put("b")).catch((reason: unknown) => reason)) as KayaError;
    expect(error).toMatchObject({ code: "KAYA_INTERNAL", cause: thrown });
    expect(error.message).toMatch(/shows when the log is opened again.*no room to apply it/s);
    expect(writer.failure).toBe(error);
  });

  it("keeps what was acknowledged before it in the same batch", async () => {
    const disk = new SimDisk();
    const writer = await failingAt(disk, "strict", new KayaError("KAYA_IO", "injected"));
    const relaxed = outcome(writer.append(put("relaxed"), "relaxed"));
    const strict = outcome(writer.append(put("strict")));
    expect(await relaxed).toMatchObject({ value: { lsn: 1 } });
    expect(await strict).toMatchObject({ error: { code: "KAYA_INTERNAL" } });
    expect(writer.nextLsn).toBe(3);
    await writer.close();
    disk.crash();
    const reopened = await WalWriter.open({}, disk);
    expect(reopened.nextLsn).toBe(3);
    await reopened.close();
  });
});
