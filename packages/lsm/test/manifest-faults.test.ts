import { KayaError } from "@kaya/core";
import { Random, SimDisk, type WriteFaultRule } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { Manifest } from "../src/manifest/manifest.js";
import { manifestPath, temporaryManifestPath } from "../src/manifest/manifest-files.js";
import { applyEdit, type ManifestState } from "../src/manifest/manifest-state.js";
import { readManifest } from "../src/manifest/read-manifest.js";
import { editFor } from "./support/states.js";

const OPTIONS = { beginAnewBytes: 2 ** 20, trusted: false, nextTableId: 1 };

type Fault = WriteFaultRule extends infer R ? (R extends { at: number } ? Omit<R, "at"> : never) : never;

const FAULTS: readonly Fault[] = [
  { kind: "disk-full" },
  { kind: "partial-write", bytes: 50 },
  { kind: "io-error" },
  { kind: "io-error", outcome: "kept" },
  { kind: "fsync-failed" },
  { kind: "fsync-failed", outcome: "kept" },
  { kind: "fsync-failed", outcome: "lost" },
];

async function open(disk: SimDisk, options = {}) {
  const found = await readManifest(disk);
  const { nextTableId } = found.state;
  return Manifest.resume(disk, found, { ...OPTIONS, nextTableId, ...options });
}

/** Every state that opening the disk may show after a crash now, or after the process alone ended. */
async function recoveredStates(disk: SimDisk): Promise<ManifestState[]> {
  const states = [(await readManifest(disk.fork())).state];
  for (let seed = 0; seed < 8; seed++) {
    const fork = disk.fork();
    fork.crash({ survive: seed === 0 ? "nothing" : seed === 1 ? "everything" : "random", seed });
    states.push((await readManifest(fork)).state);
  }
  return states;
}

describe("a manifest whose disk fails", () => {
  it("M2, M4: shows one of the attempted states after a crash, the acknowledged one once an edit succeeds", async () => {
    let met = 0;
    for (const first of FAULTS) {
      for (const second of FAULTS) {
        for (let place = 0; place < 9; place++) met += await failTwice(first, second, place);
      }
    }
    expect(met).toBeGreaterThan(300);
  });

  it("M4: appends nothing more to a file that failed, also where it reads back", async () => {
    const disk = new SimDisk();
    const manifest = await open(disk);
    const random = new Random(1);
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    const failed = editFor(manifest.state, random);
    await expect(manifest.append(failed)).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    expect(manifest.isUncertain).toBe(true);
    const length = disk.readFile(manifestPath(1))?.length;
    await manifest.append({ logIdentity: "behind it" });
    expect(manifest.isUncertain).toBe(false);
    const toOld = disk.events.filter(({ kind, path }) => kind === "append" && path === manifestPath(1));
    expect(toOld).toHaveLength(1);
    expect(length).toBeGreaterThan(0);
    for (const state of await recoveredStates(disk)) expect(state).toEqual(manifest.state);
    expect(manifest.state.covered).toEqual({ lsn: 0, sequence: 0 });
  });

  it("M2: says after closing, too, whether its last edit is uncertain", async () => {
    for (const fails of [false, true]) {
      const disk = new SimDisk();
      const manifest = await open(disk);
      if (fails) disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
      const edit = manifest.append({ logIdentity: "the last edit" });
      await (fails ? expect(edit).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" }) : edit);
      await manifest.close();
      expect(manifest.isUncertain).toBe(fails);
    }
  });
});

/** Two edits that fail, at once or one after the other, and one that succeeds. Gives 1 where a fault was met. */
async function failTwice(first: Fault, second: Fault, place: number): Promise<number> {
  const disk = new SimDisk({ seed: place });
  const random = new Random(place);
  const manifest = await open(disk);
  await manifest.append(editFor(manifest.state, random));
  const acknowledged = manifest.state;
  disk.addFault({ ...first, at: disk.nextOperation + (place % 2) });
  const attempts = [await attempt(manifest, random)];
  // The edit that follows begins the manifest anew: its operations come from here on.
  disk.addFault({ ...second, at: disk.nextOperation + place });
  attempts.push(await attempt(manifest, random));
  const failed = attempts.filter(({ isAcknowledged }) => !isAcknowledged).length;
  const possible = [
    attempts.findLast(({ isAcknowledged }) => isAcknowledged)?.state ?? acknowledged,
    ...attempts.filter(({ isAcknowledged }) => !isAcknowledged).map(({ state }) => state),
  ];
  if (failed > 0) {
    for (const state of await recoveredStates(disk)) expect(possible).toContainEqual(state);
  }
  const last = await attempt(manifest, random);
  if (!last.isAcknowledged) return 1;
  for (const state of await recoveredStates(disk)) expect(state).toEqual(last.state);
  return failed > 0 ? 1 : 0;
}

async function attempt(manifest: Manifest, random: Random) {
  const edit = editFor(manifest.state, random);
  const state = applyEdit(manifest.state, edit);
  try {
    await manifest.append(edit);
    return { state, isAcknowledged: true };
  } catch (error) {
    if (!KayaError.is(error)) throw error;
    return { state, isAcknowledged: false };
  }
}

describe("opening a manifest", () => {
  it("M5: makes what it read durable before anybody can act on it", async () => {
    const disk = new SimDisk();
    const manifest = await open(disk);
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    await expect(manifest.append({ logIdentity: "never on the disk" })).rejects.toThrow();
    disk.killProcess();
    const again = await open(disk); // the phantom reads back
    expect(again.state.logIdentity).toBe("never on the disk");
    disk.crash();
    expect((await readManifest(disk)).state.logIdentity).toBe("never on the disk");
  });

  it("M5: writes nothing where what reads back is trusted, and goes on in the same file", async () => {
    const disk = new SimDisk();
    const manifest = await open(disk);
    await manifest.append({ logIdentity: "one" });
    await manifest.close();
    const operations = disk.nextOperation;
    const trusted = await open(disk, { trusted: true });
    expect(disk.nextOperation).toBe(operations);
    await trusted.append({ logIdentity: "two" });
    expect(disk.nextOperation).toBe(operations + 2);
    disk.crash();
    expect((await readManifest(disk)).state.logIdentity).toBe("two");
  });

  it("M5: begins anew behind a torn edit, trusted or not", async () => {
    const disk = new SimDisk();
    const manifest = await open(disk);
    await manifest.append({ logIdentity: "whole" });
    const file = await disk.open(manifestPath(1));
    await file.append(new Uint8Array(20));
    await file.sync();
    const found = await readManifest(disk);
    expect(found.torn).toMatchObject({ path: manifestPath(1), bytes: 20 });
    const again = await open(disk, { trusted: true });
    await again.append({ logIdentity: "behind" });
    disk.crash();
    expect(await readManifest(disk)).toMatchObject({ number: 2, state: { logIdentity: "behind" } });
  });

  it("M6: takes the highest number, removes older ones and what was left unfinished, and leaves the rest alone", async () => {
    const disk = new SimDisk();
    const manifest = await open(disk);
    await manifest.append({ logIdentity: "old" });
    const old = disk.readFile(manifestPath(1)) as Uint8Array;
    await open(disk);
    disk.writeFile(manifestPath(1), old); // a crash undid its removal
    disk.writeFile(temporaryManifestPath(9), new Uint8Array(10));
    disk.writeFile("manifest/notes.txt", new Uint8Array(1));
    const found = await readManifest(disk);
    expect(found.number).toBe(2);
    expect(found.directory).toMatchObject({ unknown: ["manifest/notes.txt"] });
    await open(disk, { trusted: true });
    const left = (await disk.list("manifest")).map(({ path }) => path);
    expect(left).toEqual([manifestPath(3), "manifest/notes.txt"]);
  });

  it("M6: refuses the highest number where it is not whole, and never takes an older one", async () => {
    const disk = new SimDisk();
    await (await open(disk)).append({ logIdentity: "old" });
    for (const bytes of [new Uint8Array(0), new Uint8Array(300)]) {
      disk.writeFile(manifestPath(5), bytes);
      await expect(open(disk)).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    }
    disk.removeDurably(manifestPath(5));
    disk.writeFile("manifest/0000000000000000.manifest", new Uint8Array(0));
    await expect(open(disk)).rejects.toThrow(/named like a manifest/);
  });
});

describe("a manifest", () => {
  it("begins anew once it has grown, and keeps its state over a crash at every operation", async () => {
    const random = new Random(3);
    const crashed: SimDisk[] = [];
    const disk: SimDisk = new SimDisk({ onOperation: () => crashed.push(disk.fork()) });
    const manifest = await open(disk, { beginAnewBytes: 600 });
    const states = [manifest.state];
    const before: number[] = [];
    for (let n = 0; n < 40; n++) {
      const from = crashed.length;
      const edit =
        n % 8 === 7
          ? {
              removed: manifest.state.levels.flatMap((tables, level) =>
                tables.map(({ id }) => ({ level, id })),
              ),
            }
          : editFor(manifest.state, random);
      await manifest.append(edit);
      for (let i = from; i < crashed.length; i++) before[i] = states.length - 1;
      states.push(manifest.state);
    }
    const files = await disk.list("manifest");
    expect(files).toHaveLength(1);
    expect(files[0]?.path).not.toBe(manifestPath(1));
    for (const [index, moment] of crashed.entries()) {
      const last = before[index];
      if (last === undefined) continue; // of the opening
      for (const survive of ["nothing", "everything", "random"] as const) {
        const fork = moment.fork();
        fork.crash({ survive, seed: index });
        const { state } = await readManifest(fork);
        expect([states[last], states[last + 1]]).toContainEqual(state);
      }
    }
  });

  it("notices that another process writes, and stops", async () => {
    const disk = new SimDisk();
    const other = await open(disk);
    await other.append({ logIdentity: "other" });
    const third = await open(disk, { trusted: true });
    await third.append({ logIdentity: "third" });
    await expect(other.append({ logIdentity: "other again" })).rejects.toMatchObject({
      code: "KAYA_WRITER_FAILED",
    });
    await expect(other.append({ logIdentity: "and again" })).rejects.toMatchObject({
      code: "KAYA_WRITER_FAILED",
    });
    disk.crash();
    expect((await readManifest(disk)).state.logIdentity).toMatch(/third|other again/);
  });

  it("refuses an edit that does not fit before it writes anything, and goes on", async () => {
    const disk = new SimDisk();
    const manifest = await open(disk);
    const operations = disk.nextOperation;
    const edit = { removed: [{ level: 0, id: 7 }] };
    await expect(manifest.append(edit)).rejects.toMatchObject({ code: "KAYA_INVARIANT_VIOLATION" });
    expect(disk.nextOperation).toBe(operations);
    await manifest.append({ logIdentity: "fine" });
    await manifest.close();
    await expect(manifest.append({})).rejects.toMatchObject({ code: "KAYA_CLOSED" });
  });
});
