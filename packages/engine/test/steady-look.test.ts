import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { KayaError, lookSteadily } from "../src/index.js";

/** A directory whose newest manifest changes whenever it is told to. */
function directory() {
  const disk = new SimDisk();
  let manifests = 0;
  return {
    disk,
    change: () =>
      disk.writeFile(`manifest/${String(++manifests).padStart(16, "0")}.manifest`, new Uint8Array(1)),
  };
}

const damaged = () => new KayaError("KAYA_CORRUPTION", "damaged");

describe("a look at a directory that may be open", () => {
  it("is taken again where the manifest changed meanwhile, after an error or what is doubtful", async () => {
    const { disk, change } = directory();
    const answers = [
      () => {
        change();
        throw damaged();
      },
      () => {
        change();
        return "half of it";
      },
      () => "half of it, and so it is",
    ];
    let looks = 0;
    const look = async () => answers[looks++]?.() ?? "too much";
    const seen = await lookSteadily(disk, look, (text) => text.startsWith("half"));
    expect([seen, looks]).toEqual(["half of it, and so it is", 3]);
  });

  it("is taken again where the first segment was dropped", async () => {
    const disk = new SimDisk();
    for (const id of [1, 2]) disk.writeFile(`wal/000000000000000${id}.wal`, new Uint8Array(1));
    let looks = 0;
    const look = async () => {
      if (++looks > 1) return "all of it";
      await disk.remove("wal/0000000000000001.wal");
      throw damaged();
    };
    expect(await lookSteadily(disk, look)).toBe("all of it");
  });

  it("is taken again where an older manifest was removed that had been listed", async () => {
    const { disk, change } = directory();
    change();
    change();
    let looks = 0;
    const look = async () => {
      if (++looks > 1) return "what the newest has";
      await disk.remove("manifest/0000000000000001.manifest");
      throw new KayaError("KAYA_NOT_FOUND", "the older one is not there");
    };
    expect(await lookSteadily(disk, look)).toBe("what the newest has");
  });

  it("tells what it saw where nothing changed or no doubt is left, and takes no look for the truth where changes never end", async () => {
    const { disk, change } = directory();
    await expect(lookSteadily(disk, () => Promise.reject(damaged()))).rejects.toThrow("damaged");
    let looks = 0;
    const changing = async () => {
      change();
      return ++looks;
    };
    expect(await lookSteadily(disk, changing)).toBe(1);
    const error = await lookSteadily(disk, changing, () => true).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "KAYA_IO" });
    expect(looks).toBe(101);
    const failing = async () => {
      change();
      throw damaged();
    };
    await expect(lookSteadily(disk, failing)).rejects.toMatchObject({ code: "KAYA_IO", cause: damaged() });
  });

  it("ends with an error of the caller's own at once", async () => {
    const { disk, change } = directory();
    let looks = 0;
    const interrupted = async () => {
      looks++;
      change();
      throw new Error("enough");
    };
    await expect(lookSteadily(disk, interrupted)).rejects.toThrow("enough");
    expect(looks).toBe(1);
  });
});
