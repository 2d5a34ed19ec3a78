import { access, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Order } from "../src/child.js";
import { parseOptions } from "../src/options.js";
import type { Outcome } from "../src/run-child.js";
import { type Execute, Runner } from "../src/runner.js";

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
  const execute: Execute = async (order) => {
    orders.push(`${order.task} ${order.workload} ${order.system}`);
    return answer(order);
  };
  const runner = new Runner(parseOptions(argv), dir, new AbortController().signal, watcher, execute);
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
    const execute: Execute = async (order) => {
      await expect(access(order.dir)).rejects.toThrow();
      return ok;
    };
    const options = parseOptions(["--only", "^durable-batches/", "--rounds", "2"]);
    await new Runner(options, dir, new AbortController().signal, watcher, execute).run();
    expect(await readdir(dir)).not.toContain("job");
  });
});
