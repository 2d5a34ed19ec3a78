import { access, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Order } from "../src/child.js";
import { parseOptions } from "../src/options.js";
import type { Outcome } from "../src/run-child.js";
import { type Machinery, Runner } from "../src/runner.js";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "kaya-bench-runner-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const ok: Outcome = { figures: [], isMissing: false };
const watcher = { progress: () => undefined, failed: () => undefined };

/** Runs with a process that only notes what it is asked for. */
async function runWith(answer: (order: Order) => Outcome, ...argv: string[]) {
  const orders: string[] = [];
  const execute: Machinery["execute"] = async (order) => {
    orders.push(`${order.task} ${order.workload} ${order.system}`);
    return answer(order);
  };
  const runner = new Runner(parseOptions(argv), dir, new AbortController().signal, watcher, { execute });
  return { ...(await runner.run()), orders };
}

describe("the runner", () => {
  test("rounds are interleaved, and begin with another system each", async () => {
    const only = ["--only", "^durable-batches/", "--systems", "kaya,lmdb", "--rounds", "3"];
    const { orders } = await runWith(() => ok, ...only);
    expect(orders.map((order) => order.split(" ").at(-1))).toEqual([
      ...["kaya", "lmdb"],
      ...["lmdb", "kaya"],
      ...["kaya", "lmdb"],
    ]);
  });

  test("a store is filled once, for all rounds and all workloads that read it", async () => {
    const only = ["--only", "^(gets/sync|reopening/.*)$", "--systems", "kaya", "--rounds", "2"];
    const { orders } = await runWith(() => ok, ...only);
    expect(orders).toEqual([
      "fill reads kaya",
      ...["run reads kaya", "run reopening kaya"],
      ...["run reads kaya", "run reopening kaya"],
    ]);
  });

  test("figures carry their round", async () => {
    const figures = [{ row: "gets/sync", value: 5 }];
    const only = ["--only", "^gets/sync$", "--systems", "kaya", "--rounds", "2"];
    const { samples } = await runWith(() => ({ ...ok, figures }), ...only);
    expect(samples).toEqual([1, 2].map((round) => ({ row: "gets/sync", system: "kaya", round, value: 5 })));
  });

  test("what failed is told once and not tried again; the others go on", async () => {
    const only = [
      "--only",
      "^(durable-puts/1|durable-batches/16)$",
      "--systems",
      "kaya,lmdb",
      "--rounds",
      "2",
    ];
    const { orders, failures } = await runWith(
      ({ workload, system }) =>
        workload === "durable-puts" && system === "lmdb" ? { ...ok, error: "ended with SIGKILL: " } : ok,
      ...only,
    );
    expect(failures).toEqual([
      {
        workload: "durable-puts",
        system: "lmdb",
        round: 1,
        message: "ended with SIGKILL: ",
        isMissing: false,
      },
    ]);
    expect(orders.filter((order) => order === "run durable-puts lmdb")).toHaveLength(1);
    expect(orders.filter((order) => order === "run durable-batches lmdb")).toHaveLength(2);
  });

  test("a peer that is not installed is left out of everything", async () => {
    const missing = { ...ok, error: "lmdb cannot be loaded", isMissing: true };
    const only = [
      "--only",
      "^(durable-puts/1|durable-batches/16)$",
      "--systems",
      "kaya,lmdb",
      "--rounds",
      "2",
    ];
    const { orders } = await runWith(({ system }) => (system === "lmdb" ? missing : ok), ...only);
    expect(orders.filter((order) => order.endsWith("lmdb"))).toHaveLength(1);
  });

  test("each process has an empty directory of its own", async () => {
    const execute: Machinery["execute"] = async (order) => {
      await expect(access(order.dir)).rejects.toThrow();
      return ok;
    };
    const options = parseOptions(["--only", "^durable-batches/", "--rounds", "2"]);
    await new Runner(options, dir, new AbortController().signal, watcher, { execute }).run();
    expect(await readdir(dir)).not.toContain("job");
  });
});

/** Runs the limited workload on a machine that is made up, and tells in which order things were done. */
async function runLimited(machinery: Partial<Machinery>, ...argv: string[]) {
  const done: string[] = [];
  const execute: Machinery["execute"] = async ({ task, system }, _signal, { processesFile }) => {
    done.push(`${task} ${system} in ${processesFile}`);
    return ok;
  };
  const limitMemory: Machinery["limitMemory"] = (bytes) => {
    done.push(`limit ${bytes >> 20}`);
    return { processesFile: "group", killed: 0, remove: async () => void done.push("remove") };
  };
  const emptyFileCache = async () => void done.push("empty the cache");
  const runner = new Runner(
    parseOptions(["--only", "^limited/", "--systems", "kaya,lmdb", "--rounds", "1", ...argv]),
    dir,
    new AbortController().signal,
    watcher,
    { execute, limitMemory, emptyFileCache, ...machinery },
  );
  return { ...(await runner.run()), done };
}

describe("a workload in a memory cgroup", () => {
  test("is prepared and run in a group of its own, with an empty cache between", async () => {
    const { done, failures, notes } = await runLimited({});
    expect(done).toEqual(
      ["kaya", "lmdb"].flatMap((system) => [
        "limit 192",
        `prepare ${system} in group`,
        "empty the cache",
        `run ${system} in group`,
        "remove",
      ]),
    );
    expect([...failures, ...notes]).toEqual([]);
  });

  test("is left out of rounds beyond those that it asks for", async () => {
    const { done } = await runLimited({}, "--systems", "kaya", "--rounds", "5");
    expect(done.filter((what) => what.startsWith("run"))).toHaveLength(3);
  });

  test("is not measured where no group may be made, and the report says why, once", async () => {
    const limitMemory = () => {
      throw new Error("not root");
    };
    const { done, failures } = await runLimited({ limitMemory }, "--rounds", "2");
    expect(done).toEqual([]);
    expect(failures).toEqual([
      { workload: "limited", system: "all systems", message: "not root", isMissing: true },
    ]);
  });

  test("says where the cache could not be emptied", async () => {
    const { notes, samples } = await runLimited({
      emptyFileCache: async () => "EACCES",
      execute: async () => ({ ...ok, figures: [{ row: "limited/open", value: 1 }] }),
    });
    expect(samples).not.toEqual([]);
    expect(notes).toEqual([
      "limited: what is read may be in the system's cache, which may not be emptied here: EACCES",
    ]);
  });

  test("that fails to load is not read, and the group is removed; a kill for want of memory is told", async () => {
    const done: string[] = [];
    const { failures } = await runLimited({
      execute: async ({ task, system }) => {
        done.push(`${task} ${system}`);
        return { ...ok, error: "ended with SIGKILL: " };
      },
      limitMemory: () => ({
        processesFile: "group",
        killed: 1,
        remove: async () => void done.push("remove"),
      }),
    });
    expect(done).toEqual(["prepare kaya", "remove", "prepare lmdb", "remove"]);
    expect(failures[0]?.message).toBe(
      "killed by the kernel for want of memory in its cgroup (ended with SIGKILL: )",
    );
  });
});

test("a workload that reads cold has an empty cache, without a group or anything to prepare", async () => {
  const { done } = await runLimited({}, "--only", "^cold-reopening/", "--systems", "kaya");
  expect(done).toEqual(["fill kaya in undefined", "empty the cache", "run kaya in undefined"]);
});
