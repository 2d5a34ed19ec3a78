import { setImmediate as nextTurn } from "node:timers/promises";
import { KayaError } from "@kaya/core";
import type { SimulationSummary } from "@kaya/sim";
import { InvalidArgumentError } from "commander";
import { invalid, toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { parseWholeNumber } from "../options.js";
import { ProgressLine } from "../terminal/progress-line.js";
import { formatCount, plural } from "../units.js";
import { printSummary, summaryJson } from "./sim-summary.js";
import { saveShrunk } from "./sim-trace.js";

export interface Seeds {
  readonly from: number;
  readonly to: number;
}

interface RunOptions {
  readonly seed: Seeds;
  readonly ops: number;
  readonly runs?: number;
  readonly save?: string;
}

const DEFAULT_RUNS = 100;

export const registerSimRun: Register = (sim, execute) => {
  sim
    .command("run")
    .summary("run simulations, and shrink the first that fails")
    .description(
      "Run one simulation per seed. The same seed does the same on every machine. The first run that breaks a promise is shrunk to a few " +
        "steps and saved as a trace; the exit code is then 5.",
    )
    .option("--seed <n>", "the first seed, or all of them as A..B (default: 1)", parseSeeds, {
      from: 1,
      to: 1,
    })
    .option("--ops <n>", "steps of each run (default: 1000)", parseWholeNumber, 1000)
    .option(
      "--runs <n>",
      `number of runs, one per seed (default: ${DEFAULT_RUNS}, or as A..B says)`,
      parseWholeNumber,
    )
    .option("--save <file>", "the file for the trace of a failure (default: ./kaya-sim-<seed>.jsonl)")
    .addHelpText(
      "after",
      `
Examples:
  kayactl sim run --seed 42 --runs 1
  kayactl sim run --seed 1..1000 --ops 300 --json`,
    )
    .action((options: RunOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const seeds = seedsOf(options, command.getOptionValueSource("seed") === "cli");
        const started = performance.now();
        const summary = await simulate(context, seeds, options.ops);
        const [failure] = summary.failures;
        const saved =
          failure === undefined
            ? undefined
            : await saveShrunk(context, failure.seed, options.ops, options.save);
        const isInterrupted = context.io.signal?.aborted === true;
        const about = {
          summary,
          seeds,
          operations: options.ops,
          isInterrupted,
          saved,
          durationMs: performance.now() - started,
        };
        const out = context.out.uninterrupted();
        if (context.options.json) await out.line(toJson(summaryJson(about)));
        else await printSummary(out, about);
        await out.flush();
        if (isInterrupted) return ExitCode.Interrupted;
        if (failure === undefined) return ExitCode.Ok;
        throw new KayaError("KAYA_INVARIANT_VIOLATION", brokenMessage(summary));
      }),
    );
};

/** Runs them until it is interrupted. */
async function simulate(
  { io, options, err }: Context,
  { from, to }: Seeds,
  operations: number,
): Promise<SimulationSummary> {
  const { addResult, runSimulation, runSimulations } = await import("@kaya/sim"); // only here: it is large
  const progress = options.json === true && !err.isTty ? undefined : new ProgressLine(io.stderr);
  const runs = to - from + 1;
  let summary = await runSimulations({ seeds: { from, to: from - 1 }, operations }); // of nothing
  for (let seed = from; seed <= to && io.signal?.aborted !== true; seed++) {
    summary = addResult(summary, await runSimulation({ seed, operations }));
    progress?.update((elapsedMs) => describeProgress(summary, runs, elapsedMs));
    await nextTurn(); // for the interruption
  }
  progress?.done();
  return summary;
}

function describeProgress(summary: SimulationSummary, runs: number, elapsedMs: number): string {
  const share = Math.floor((summary.runs / runs) * 100);
  const left = Math.ceil(((elapsedMs / summary.runs) * (runs - summary.runs)) / 1000);
  return (
    `simulating: ${String(share).padStart(3)}%, ${formatCount(summary.runs)} of ${plural(runs, "run")}, ` +
    `${formatCount(summary.crashes + summary.kills)} crashes and kills, ${plural(summary.failures.length, "failure")}, ${left} s left`
  );
}

function brokenMessage({ failures, runs }: SimulationSummary): string {
  const [first] = failures;
  const how = `${formatCount(failures.length)} of ${plural(runs, "run")} broke a promise`;
  return first?.violation === undefined ? how : `${how}, seed ${first.seed} first: ${first.violation.rule}`;
}

function seedsOf({ seed, runs }: RunOptions, isGiven: boolean): Seeds {
  const isRange = isGiven && seed.to > seed.from;
  if (isRange && runs !== undefined)
    throw invalid("--seed A..B says how many runs there are: leave --runs out");
  if (runs === 0) throw invalid("--runs must be at least 1");
  if (isRange) return seed;
  const to = seed.from + ((runs ?? DEFAULT_RUNS) - 1);
  if (!Number.isSafeInteger(to)) throw invalid("--seed and --runs go beyond 2^53 - 1");
  return { from: seed.from, to };
}

function parseSeeds(text: string): Seeds {
  const [, first, last] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  if (first === undefined) throw new InvalidArgumentError("It must be a whole number, or two as A..B.");
  const from = parseWholeNumber(first);
  const to = last === undefined ? from : parseWholeNumber(last);
  if (to < from) throw new InvalidArgumentError("The second seed must not be less than the first.");
  return { from, to };
}
