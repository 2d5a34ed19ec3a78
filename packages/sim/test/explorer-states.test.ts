import { Random, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { applyCrash, type CrashState } from "../src/explorer/crash-state.js";
import { crashStates } from "../src/explorer/enumerate.js";
import { History } from "../src/explorer/history.js";
import { checkPrefix } from "../src/explorer/prefix.js";
import { tearsOf } from "../src/explorer/tears.js";

const options = (limit: number) => ({
  sectorSizes: [512, 4096] as const,
  seed: 0,
  limit,
  withKill: true,
  random: new Random(1),
});

async function diskWith(writes: number): Promise<SimDisk> {
  const disk = new SimDisk();
  disk.writeFile("file", Buffer.alloc(100, 0xff));
  const file = await disk.open("file");
  for (let n = 0; n < writes; n++) await file.append(Buffer.alloc(10, n + 1));
  return disk;
}

function outcomes(disk: SimDisk, states: Iterable<CrashState>): Set<number> {
  const digests = new Set<number>();
  for (const state of states) {
    const fork = disk.fork();
    applyCrash(fork, state);
    digests.add(fork.stateDigest());
  }
  return digests;
}

describe("the states of a crash", () => {
  it("are two where nothing is unsynced: the process ends, or the power", async () => {
    const disk = await diskWith(0);
    expect([...crashStates(disk.unsynced, options(100))].map(({ kind }) => kind)).toEqual([
      "process-killed",
      "all-lost",
    ]);
  });

  it("are all subsets of up to eight operations", async () => {
    for (const writes of [1, 2, 5, 8]) {
      const disk = await diskWith(writes);
      const every = new Set<number>();
      for (let mask = 0; mask < 2 ** writes; mask++) {
        const fork = disk.fork();
        fork.crash({
          decide: (item) =>
            (mask >> (((item as { position: number }).position - 100) / 10)) & 1 ? "kept" : "lost",
        });
        every.add(fork.stateDigest());
      }
      const made = outcomes(disk, crashStates(disk.unsynced, options(100_000)));
      for (const digest of every) expect(made.has(digest)).toBe(true);
    }
  });

  it("keep to the limit, with random ones where not everything has room", async () => {
    const disk = await diskWith(20);
    const states = [...crashStates(disk.unsynced, options(300))];
    expect(states).toHaveLength(300);
    expect(states.filter(({ kind }) => kind === "random").length).toBeGreaterThan(20);
    expect([...crashStates(disk.unsynced, options(3))]).toHaveLength(3);
  });
});

describe("the tears of a write", () => {
  const write = { kind: "write", id: 1, path: "file", fileLength: 0 } as const;

  it("are at every sector of either size", () => {
    const tears = [...tearsOf({ ...write, position: 0, length: 9000 }, [512, 4096])];
    for (const size of [512, 4096] as const) {
      const count = Math.ceil(9000 / size);
      const kept = tears
        .filter(({ sectorBytes }) => sectorBytes === size)
        .map(({ keptSectors }) => keptSectors);
      for (let cut = 1; cut < count; cut++) {
        expect(kept.some((sectors) => sectors.length === cut && sectors.at(-1) === cut - 1)).toBe(true);
      }
      for (let missing = 0; missing < count; missing++) {
        expect(kept.some((sectors) => sectors.length === count - 1 && !sectors.includes(missing))).toBe(true);
      }
    }
  });

  it("of one sector: its length without its bytes, garbage, and an end in its middle", () => {
    const tears = [...tearsOf({ ...write, position: 100, length: 50 }, [512, 4096])];
    expect(tears.map(({ keptSectors, rest, fileLength }) => [keptSectors.length, rest, fileLength])).toEqual([
      [0, "old", Number.MAX_SAFE_INTEGER],
      [0, "garbage", Number.MAX_SAFE_INTEGER],
      [1, "old", 125],
    ]);
  });
});

describe("a history", () => {
  it("gives the view of each moment", () => {
    const history = new History<string>();
    history.attempt("a");
    const early = history.version;
    history.acknowledge("a");
    history.attempt("b");
    history.accept("b");
    expect(history.view(early, "power-cut")).toMatchObject({ attempted: ["a"], acknowledged: new Set() });
    expect(history.view(history.version, "power-cut").acknowledged).toEqual(new Set(["a"]));
    expect(history.view(history.version, "process-kill").acknowledged).toEqual(new Set(["a", "b"]));
    history.powerCut();
    expect(history.view(history.version, "process-kill").acknowledged).toEqual(new Set(["a"]));
  });

  it("refuses what cannot be", () => {
    const history = new History<string>();
    history.attempt("a");
    expect(() => history.attempt("a")).toThrow("once only");
    expect(() => history.acknowledge("b")).toThrow("never attempted");
  });
});

describe("checkPrefix", () => {
  const history = new History<string>();
  for (const item of ["a", "b", "c"]) history.attempt(item);
  history.acknowledge("b");
  const view = history.view(history.version, "power-cut");
  const check =
    (recovered: readonly string[], from = 0) =>
    () =>
      checkPrefix(view, recovered, { from, matches: (attempted, found) => attempted === found });

  it("wants a prefix with everything acknowledged", () => {
    expect(check(["a", "b"])).not.toThrow();
    expect(check(["a", "b", "c"])).not.toThrow();
    expect(check(["a"])).toThrow("item 1, acknowledged, is lost: «b»");
    expect(check(["a", "c"])).toThrow("item 1 that came back is «c», not «b»");
    expect(check(["a", "b", "c", "d"])).toThrow("item 3 that came back is «d», not the end");
  });

  it("takes what is before its beginning for granted", () => {
    expect(check([], 2)).not.toThrow();
    expect(check(["c"], 2)).not.toThrow();
    expect(check(["b"], 2)).toThrow("not «c»");
    expect(check([], 1)).toThrow("is lost");
  });
});
