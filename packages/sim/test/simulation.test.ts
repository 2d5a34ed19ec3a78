import { KayaError, resolveWalConfig } from "@kaya/core";
import { describe, expect, it, vi } from "vitest";
import {
  describeViolation,
  generateTrace,
  loadTrace,
  runSimulation,
  runSimulations,
  runTrace,
  type SimulationSummary,
  type Step,
  saveTrace,
  type Trace,
} from "../src/index.js";

// 20 seeds take 12 seconds of a processor, of which other programs may leave a tenth. `npx pnpm@10 torture` runs 1,000.
vi.setConfig({ testTimeout: 600_000 });

describe("the simulation of the engine", () => {
  it("finds nothing in 20 seeds of 200 steps, and meets every kind of trouble in them", async () => {
    const operations = 200;
    const summary = await runSimulations({ seeds: { from: 1, to: 20 }, operations });
    expect(summary.failures.map((failure) => describeViolation(failure, { operations }))).toEqual([]);
    expect(summary.runs).toBe(20);
    expect(summary.steps).toBeGreaterThan(4_000); // with those of rows with indexes
    expect(Math.min(...Object.values(summary.faults))).toBeGreaterThan(0);
    expect(summary.crashes).toBeGreaterThan(50);
    expect(summary.kills).toBeGreaterThan(30);
    expect(summary.reopenings).toBeGreaterThan(100);
    expect(summary.flushes).toBeGreaterThan(50);
    expect(summary.compactions).toBeGreaterThan(40);
    expect(summary.looks).toBeGreaterThan(20);
    expect(summary.backupsAgain).toBeGreaterThan(3);
    expect(summary.acknowledged).toBeGreaterThan(500);
    expect(summary.reads).toBeGreaterThan(500);
    expect(summary.backups).toBeGreaterThan(20);
    expect(summary.recoveredTo).toBeGreaterThan(6);
    expect(summary.consumed).toBeGreaterThan(20);
    expect(summary.truncated).toBeGreaterThan(5);
    expect(summary.transactions).toBeGreaterThan(5);
    expect(Math.min(summary.retries, summary.lostTransactions)).toBeGreaterThan(0);
    expect(summary.indexedWrites).toBeGreaterThan(100);
    expect(summary.indexedRefusals).toBeGreaterThan(50);
  });

  it("does the same for the same seed, down to every operation of the disk", async () => {
    const digests = new Set<string>();
    for (let seed = 1; seed <= 6; seed++) {
      const first = await runSimulation({ seed, operations: 150 });
      expect(await runSimulation({ seed, operations: 150 })).toEqual(first);
      digests.add(first.digest);
    }
    expect(digests.size).toBe(6);
  });

  it("does the same however slow the machine is, also where a flush has its turns", async () => {
    const put = (id: number): Step => ({
      step: "put",
      id,
      key: `${id}`,
      length: 20_000,
      durability: "relaxed",
    });
    const steps: Step[] = [...Array.from({ length: 100 }, (_, id) => put(id)), { step: "settle" }];
    for (let id = 100; id < 130; id++)
      steps.push({ step: "flush" }, put(id), { step: "advance", operations: 3 });
    const trace = { seed: 1, config: resolveWalConfig(), steps };
    const first = await runTrace(trace);
    expect(first.violation).toBeUndefined();
    expect(first.flushes).toBeGreaterThan(2);
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => {
      now += 50;
      return now;
    });
    try {
      expect(await runTrace(trace)).toEqual(first);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it("does the same on every machine", async () => {
    const trace = generateTrace({ seed: 6, operations: 40 });
    expect(trace.steps.slice(0, 3).map((step) => JSON.stringify(step))).toEqual([
      '{"step":"batch","id":1,"operations":[{"key":"user:3"},{"key":"ab"}],"durability":"relaxed","now":true}',
      '{"step":"flush"}',
      '{"step":"follow"}',
    ]);
  });
});

describe("a generated trace", () => {
  const stepsOf = (
    options: Omit<Parameters<typeof generateTrace>[0], "seed" | "operations">,
  ): readonly Step[] =>
    Array.from(
      { length: 20 },
      (_, seed) => generateTrace({ seed, operations: 100, ...options }).steps,
    ).flat();

  it("depends on its seed and length alone", () => {
    expect(generateTrace({ seed: 7, operations: 50 })).toEqual(generateTrace({ seed: 7, operations: 50 }));
    expect(generateTrace({ seed: 8, operations: 50 })).not.toEqual(
      generateTrace({ seed: 7, operations: 50 }),
    );
  });

  it("has the faults that were asked for, or none", () => {
    expect(stepsOf({ faults: false }).some(({ step }) => step === "fault")).toBe(false);
    const zero = {
      "fsync-failed": 0,
      "io-error": 0,
      "partial-write": 0,
      "read-error": 0,
      "no-descriptors": 0,
    };
    const kinds = stepsOf({ faults: { ...zero, "disk-full": 1 } }).flatMap((step) =>
      step.step === "fault" ? [step.kind] : [],
    );
    expect(new Set(kinds)).toEqual(new Set(["disk-full"]));
  });

  it("leaves out the steps whose weight is 0", () => {
    expect(
      stepsOf({ weights: { crash: 0, kill: 0 } }).some(({ step }) => step === "crash" || step === "kill"),
    ).toBe(false);
  });

  it("has the same other steps, whether it has steps of rows with indexes or not", () => {
    const isOther = ({ step }: Step) => !step.startsWith("index-");
    const without = stepsOf({ indexes: 0 });
    expect(without.every(isOther)).toBe(true);
    const steps = stepsOf({});
    expect(steps.length).toBeGreaterThan(without.length);
    expect(steps.filter(isOther)).toEqual(without);
  });

  it("refuses a seed or a length that is no whole number", () => {
    expect(() => generateTrace({ seed: 0.5, operations: 1 })).toThrow("seed must be a whole number");
    expect(() => generateTrace({ seed: 1, operations: Number.NaN })).toThrow(
      "operations must be a whole number",
    );
    expect(() => generateTrace({ seed: 1, operations: -1 })).toThrow(
      "operations must be a whole number >= 0",
    );
  });
});

describe("a saved trace", () => {
  it("is the trace again, and gives the same result", async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const trace = generateTrace({ seed, operations: 120 });
      const loaded = loadTrace(saveTrace(trace));
      expect(loaded).toEqual(trace);
      expect(await runTrace(loaded)).toEqual(await runTrace(trace));
    }
  });

  it("is one line of JSON a step, behind a header", () => {
    const lines = saveTrace(generateTrace({ seed: 3, operations: 5, indexes: 0 }))
      .trimEnd()
      .split("\n");
    expect(lines).toHaveLength(6);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ trace: "kaya-simulation", version: 2, seed: 3 });
    for (const line of lines.slice(1)) expect(JSON.parse(line)).toHaveProperty("step");
  });

  it("says how memtables and tables are, where the engine flushes by itself", () => {
    const { store, ...without } = generateTrace({ seed: 3, operations: 5 });
    expect(store?.memory.memtableBytes).toBeGreaterThan(0);
    expect(loadTrace(saveTrace({ ...without, ...(store && { store }) })).store).toEqual(store);
    expect(loadTrace(saveTrace(without))).toEqual(without);
    const tables = { ...store?.tables, blockBytes: 1 };
    const wrong = saveTrace({ ...without, store: { ...store, tables } } as Trace);
    expect(() => loadTrace(wrong)).toThrow("tables.blockBytes");
  });

  it("may be edited by hand: empty lines don't count", () => {
    const trace = generateTrace({ seed: 3, operations: 5 });
    expect(loadTrace(`\n${saveTrace(trace).replaceAll("\n", "\r\n\n")}`)).toEqual(trace);
  });

  const header = JSON.stringify({ trace: "kaya-simulation", version: 2, seed: 1, config: {} });
  const refused: readonly (readonly [name: string, text: string, message: string])[] = [
    ["nothing", "", "line 1: a trace begins with its header"],
    ["what is no JSON", `${header}\n{"step":`, "line 2: this is not JSON"],
    ["what is no object", `${header}\nnull`, "line 2: this is no JSON object"],
    ["something else", '{"a":1}', "line 1: this is no trace of a simulation"],
    ["another version", header.replace("2", "1"), "line 1: version 1 is not 2"],
    [
      "a header without a seed",
      header.replace('"seed":1', '"seed":null'),
      "line 1: seed must be a whole number",
    ],
    ["a step that does not exist", `${header}\n{"step":"explode"}`, 'line 2: "explode" is no step'],
    [
      "a step without its fields",
      `${header}\n{"step":"put","id":1}`,
      "line 2: put must have key, length, durability",
    ],
    ["a wrong configuration", header.replace("{}", '{"segmentMaxBytes":0}'), "segmentMaxBytes"],
  ];
  for (const [name, text, message] of refused) {
    it(`is not ${name}`, () => {
      expect(() => loadTrace(text)).toThrow(message);
      expect(() => loadTrace(text)).toThrow(KayaError);
    });
  }
});

describe("many simulations", () => {
  it("tell their progress, and end where they are told to", async () => {
    const controller = new AbortController();
    const seen: SimulationSummary[] = [];
    const summary = await runSimulations({
      seeds: { from: 10, to: 1000 },
      operations: 20,
      signal: controller.signal,
      onProgress: (progress) => {
        seen.push(progress);
        if (progress.runs === 5) controller.abort();
      },
    });
    expect(summary.runs).toBe(5);
    expect(seen.map(({ runs }) => runs)).toEqual([1, 2, 3, 4, 5]);
    expect(seen.at(-1)).toEqual(summary);
  });
});
