import { describe, expect, it } from "vitest";
import { SimDisk } from "../src/index.js";
import { rejectsWith, text } from "../src/testing/check.js";

for (const [how, end] of [
  ["a crash", (disk: SimDisk) => void disk.crash({ survive: "everything" })],
  ["a kill", (disk: SimDisk) => disk.killProcess()],
] as const) {
  describe(`after ${how}`, () => {
    it("code of the dead process can change nothing, and learn nothing", async () => {
      const disk = new SimDisk();
      const dead = disk.session();
      const file = await dead.open("file", { create: true });
      await dead.lock("LOCK");
      end(disk);
      const [digest, events] = [disk.stateDigest("everything"), disk.events.length];
      const calls = [
        () => dead.open("other", { create: true }),
        () => dead.open("file"),
        () => dead.list(""),
        () => dead.rename("file", "moved"),
        () => dead.remove("file"),
        () => dead.syncDir(""),
        () => dead.lock("LOCK"),
        () => file.append(text("late")),
        () => file.length(),
      ];
      for (const call of calls) await rejectsWith("KAYA_CLOSED", call());
      expect([disk.stateDigest("everything"), disk.events.length]).toEqual([digest, events]);
      await disk.session().lock("LOCK"); // the next process is not in its way
    });

    it("what the dead process had under way on an unhurried disk does not happen", async () => {
      const disk = new SimDisk({ unhurried: true });
      const session = disk.session();
      const file = await session.open("file", { create: true });
      const underWay = [file.append(text("late")), file.sync(), session.remove("file"), session.syncDir("")];
      const [digest, next] = [disk.stateDigest("everything"), disk.nextOperation];
      disk.killProcess();
      for (const call of underWay) await rejectsWith("KAYA_CLOSED", call);
      expect([disk.stateDigest("everything"), disk.nextOperation]).toEqual([digest, next]);
    });
  });
}

describe("an unhurried disk", () => {
  /** What the caller had done when each operation took effect. */
  async function progressAt(unhurried: boolean): Promise<readonly (readonly [string, string])[]> {
    let progress = "";
    const seen: [string, string][] = [];
    const disk = new SimDisk({ unhurried, onOperation: (_, kind) => seen.push([kind, progress]) });
    const file = await disk.open("file", { create: true });
    progress = "opened";
    const written = file.append(text("a"));
    progress = "written, it says";
    const synced = file.sync();
    await undefined;
    progress = "synced, it says";
    await Promise.all([written, synced]);
    return seen;
  }

  it("lets the caller go on before an operation takes effect", async () => {
    expect(await progressAt(true)).toEqual([
      ["open", ""],
      ["append", "synced, it says"],
      ["sync", "synced, it says"],
    ]);
    expect(await progressAt(false)).toEqual([
      ["open", ""],
      ["append", "opened"],
      ["sync", "written, it says"],
    ]);
  });

  it("takes the bytes at the call, and keeps the order of the calls", async () => {
    const disk = new SimDisk({ unhurried: true });
    const file = await disk.open("file", { create: true });
    const bytes = text("one");
    const calls = [file.append(bytes), file.append(text(" two")), file.truncate(5), file.close()];
    bytes.fill(0);
    await Promise.all(calls);
    expect(Buffer.from(disk.readFile("file") ?? []).toString()).toBe("one t");
    await rejectsWith("KAYA_CLOSED", file.append(bytes));
  });

  it("has forks that are not", async () => {
    const disk = new SimDisk({ unhurried: true });
    const fork = disk.fork();
    const opening = fork.open("file", { create: true });
    expect(fork.nextOperation).toBe(1);
    await opening;
  });
});
