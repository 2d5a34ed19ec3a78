// `npx pnpm@10 torture`: everything that looks for a broken promise, side by side, and its figures.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { checkCluster } from "./cluster.mjs";
import { jobsOf } from "./jobs.mjs";
import { describeMachine } from "./machine.mjs";
import { checkMutants } from "./mutants.mjs";
import { parseOptions, USAGE } from "./options.mjs";
import { Pool } from "./pool.mjs";
import { ProgressLine } from "./progress.mjs";
import { failures, figures, formatDuration, scenarioTable } from "./report.mjs";
import { Tally } from "./tally.mjs";

const MOST_SHOWN = 10;
// Of a generated workload, until some are done.
const STATES_A_GENERATED = 500;

/**
 * Runs everything; gives the exit code.
 * @param {import("./options.mjs").TortureOptions} options
 */
async function torture(options) {
  const started = performance.now();
  const machine = describeMachine();
  const dir =
    options.dir === undefined ? await mkdtemp(join(tmpdir(), "kaya-torture-")) : resolve(options.dir);
  const tally = new Tally();
  const interruption = new AbortController();
  const mutants = await look(options, dir, tally, interruption, started);
  const isInterrupted = interruption.signal.aborted;
  const ms = performance.now() - started;
  await saveTraces(tally);
  const { processes, order } = options;
  print(tally, mutants, { machine, ms, processes, order, isInterrupted });
  if (options.json !== undefined) {
    const rows = [...tally.rows.values()];
    const faultPairs = Object.fromEntries(tally.faultPairs);
    const document = { machine, options, isInterrupted, ms, ...tally, faultPairs, rows, mutants };
    await writeFile(options.json, `${JSON.stringify(document, undefined, 2)}\n`);
  }
  if (tally.kills.violations.length + tally.month.violations.length === 0 && options.dir === undefined)
    await rm(dir, { recursive: true, force: true, maxRetries: 20 }); // a writer may be in its last moments
  if (failures(tally, mutants).length > 0) return 1;
  return isInterrupted ? 130 : 0;
}

/**
 * The jobs, then the mutants, with a line that tells how far it is, until there are no more or Ctrl-C ends it.
 * @param {import("./options.mjs").TortureOptions} options
 * @param {string} dir
 * @param {Tally} tally
 * @param {AbortController} interruption
 * @param {number} started
 */
async function look(options, dir, tally, interruption, started) {
  const progress = new ProgressLine();
  /** The kill jobs under way. @type {Map<import("./worker.mjs").Job, import("./real/kill-loop.mjs").KillFigures>} */
  const killing = new Map();
  let phase = "";
  const show = () =>
    progress.update(() => {
      const kills = [...killing.values()].reduce((sum, soFar) => sum + soFar.kills, tally.kills.kills);
      const seen = `${tally.sum("distinct")} crash states, ${tally.simulation.runs} seeds, ${kills} kills, ${tally.month.writes} writes of a month`;
      return `${formatDuration(performance.now() - started)}: ${seen}, ${tally.violations} violations${phase}`;
    });
  const pool = new Pool((job, soFar) => {
    if (job.kind === "kill") killing.set(job, soFar);
    if (job.kind === "month") tally.month = soFar;
    show();
  });
  process.on("SIGINT", () => {
    if (interruption.signal.aborted) process.exit(130);
    interruption.abort();
    pool.stop();
  });
  await runJobs(options, pool, tally, dir, (job) => {
    killing.delete(job);
    show();
  });
  for (const soFar of killing.values()) tally.addKills(soFar); // of what was interrupted
  phase = ", looking at the cluster and for the mutants";
  const isWanted = options.mutants > 0 && !interruption.signal.aborted;
  // The cluster waits for timeouts most of the time.
  const [mutants] = await Promise.all([
    isWanted ? mutantsOrNone(options, interruption.signal, tally, show) : undefined,
    options.cluster > 0 && !interruption.signal.aborted
      ? lookAtCluster(options, interruption.signal, tally, show)
      : undefined,
  ]);
  progress.done();
  return mutants;
}

/**
 * @param {Tally} tally
 * @param {import("./mutants.mjs").MutantFigures | undefined} mutants
 * @param {Parameters<typeof figures>[2]} run
 */
function print(tally, mutants, run) {
  console.log(scenarioTable(tally));
  console.log(`\n${figures(tally, mutants, run)}`);
  const broken = failures(tally, mutants);
  for (const line of broken.slice(0, MOST_SHOWN)) console.log(`\n${line}`);
  if (broken.length > MOST_SHOWN) console.log(`\nand ${broken.length - MOST_SHOWN} more`);
}

/**
 * @param {import("./options.mjs").TortureOptions} options
 * @param {Pool} pool
 * @param {Tally} tally
 * @param {string} dir
 * @param {(job: import("./worker.mjs").Job) => void} onDone
 */
async function runJobs(options, pool, tally, dir, onDone) {
  let generatedUnderWay = 0;
  const statesSoFar = () => tally.sum("distinct") + generatedUnderWay * STATES_A_GENERATED;
  const jobs = jobsOf(options, dir, statesSoFar, tally.cut);
  const next = () => {
    const { value: job } = jobs.next();
    if (job === undefined) return undefined;
    if ("generate" in job) generatedUnderWay++;
    return job;
  };
  await pool.run(options.processes, next, (job, { result, error }) => {
    if ("generate" in job) generatedUnderWay--;
    if (error !== undefined) {
      tally.broken.push({ seed: options.seed, message: error, again: `the job was ${JSON.stringify(job)}` });
    } else if (job.kind === "explore") tally.addExploration(result);
    else if (job.kind === "glance") tally.addGlance(result);
    else if (job.kind === "kill") tally.addKills(result);
    else if (job.kind === "month") tally.month = result;
    else tally.addSimulation(result, job.operations);
    onDone(job);
  });
}

/**
 * @param {import("./options.mjs").TortureOptions} options
 * @param {AbortSignal} signal
 * @param {Tally} tally
 * @param {() => void} show
 */
async function lookAtCluster({ cluster, order }, signal, tally, show) {
  const timer = setInterval(show, 500);
  try {
    tally.cluster = await checkCluster({ seconds: cluster, order }, signal);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const again = "node packages/cluster/torture/main.mjs";
    if (!signal.aborted) tally.broken.push({ seed: order, message, again });
  } finally {
    clearInterval(timer);
  }
}

/**
 * @param {import("./options.mjs").TortureOptions} options
 * @param {AbortSignal} signal
 * @param {Tally} tally
 * @param {() => void} show
 */
async function mutantsOrNone(options, signal, tally, show) {
  const timer = setInterval(show, 500);
  try {
    return await checkMutants(options, signal);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!signal.aborted) tally.broken.push({ seed: 0, message, again: "node packages/sim/mutants/main.mjs" });
    return undefined;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Each violation of the explorer into a file, for reproduce.mjs.
 * @param {Tally} tally
 */
async function saveTraces({ crashViolations }) {
  for (const [index, violation] of crashViolations.entries()) {
    const path = resolve(`kaya-crash-${index + 1}.json`);
    if (index < MOST_SHOWN) await writeFile(path, JSON.stringify(violation.trace));
    violation.again = `node packages/sim/torture/reproduce.mjs ${path}`;
  }
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) console.log(USAGE);
  else process.exitCode = await torture(options);
} catch (error) {
  console.error(error instanceof Error && error.name === "TypeError" ? error.message : error);
  process.exitCode = 4;
}
