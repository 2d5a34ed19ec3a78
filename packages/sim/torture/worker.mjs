// A child process of main.mjs: does one job at a time, and says what came of it.
import { describeCrashViolation } from "../dist/explorer/index.js";
import { runSimulations } from "../dist/simulation/index.js";
import { generatedScenario } from "./generated-scenarios.mjs";
import { liveAMonth } from "./month/month.mjs";
import { killLoop } from "./real/kill-loop.mjs";
import { scenarioNamed } from "./scenario-named.mjs";

/**
 * @typedef {{ kind: "explore", scenario: string }} NamedJob
 * @typedef {{ kind: "glance", scenario: string }} GlanceJob
 * @typedef {NamedJob | { kind: "explore", generate: number }} ExploreJob
 * @typedef {{ kind: "simulate", from: number, to: number, operations: number }} SimulateJob
 * @typedef {{ kind: "kill", kills: number, seed: number, dir: string }} KillJob
 * @typedef {{ kind: "month", writes: number, seed: number, dir: string }} MonthJob
 * @typedef {ExploreJob | GlanceJob | SimulateJob | KillJob | MonthJob} Job
 */

process.on("SIGINT", () => undefined); // the parent decides when it ends
process.on("disconnect", () => process.exit());
process.on("message", async (/** @type {Job} */ job) => {
  try {
    process.send?.({ result: await carryOut(job) });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});

/** @param {Job} job */
function carryOut(job) {
  if (job.kind === "explore") return exploreOne(job);
  if (job.kind === "glance") return exploreWith(scenarioNamed(job.scenario), glanceBudgetOf(job.scenario));
  const onProgress = (/** @type {object} */ soFar) => process.send?.({ soFar });
  if (job.kind === "kill") return killLoop({ ...job, onProgress });
  if (job.kind === "month") return liveAMonth({ ...job, onProgress });
  const { from, to, operations } = job;
  return simulate(from, to, operations);
}

/**
 * @param {number} from
 * @param {number} to
 * @param {number} operations
 */
async function simulate(from, to, operations) {
  const before = process.cpuUsage();
  const summary = await runSimulations({ seeds: { from, to }, operations });
  const { user, system } = process.cpuUsage(before);
  return { ...summary, cpuMs: (user + system) / 1000 };
}

/**
 * How much of a scenario is explored. Nine tenths of the states are inside recovery, and resemble each other: of the layers whose opening takes
 * long, a share of the recoveries is crashed in turn. Opening a tree of tables takes ten times what opening a log takes.
 *
 * @param {string} name of a scenario
 * @returns {import("../dist/explorer/index.js").ExplorationBudget}
 */
function budgetOf(name) {
  // An opening that makes tables, crashed, and the opening behind it crashed in turn: with the budget of other scenarios it takes ten minutes.
  if (name.includes("a long log") || name.includes("does not fit a memtable"))
    return { maxStatesPerBoundary: 12, maxStatesPerRecoveryBoundary: 1, recoveryShare: 0.03 };
  if (name.startsWith("lsm:"))
    return { maxStatesPerBoundary: 4, maxStatesPerRecoveryBoundary: 1, recoveryShare: 0.05 };
  if (name.includes(": two faults: "))
    return { maxStatesPerBoundary: 20, maxStatesPerRecoveryBoundary: 2, recoveryShare: 0.1 };
  if (name.startsWith("engine:"))
    return { maxStatesPerBoundary: 200, maxStatesPerRecoveryBoundary: 6, recoveryShare: 0.3 };
  return { maxStatesPerBoundary: 200, maxStatesPerRecoveryBoundary: 6 };
}

/**
 * Two states of each moment: the process is killed, or a power cut loses all that was not fsynced. Workloads that are
 * slow or have thousands of moments are crashed at some of them.
 *
 * @param {string} name of a scenario
 * @returns {import("../dist/explorer/index.js").ExplorationBudget}
 */
function glanceBudgetOf(name) {
  const isLong = /a long log|does not fit a memtable|^lsm:|: two faults: /.test(name);
  return { maxStatesPerBoundary: 2, recoveryDepth: 0, ...(isLong && { maxBoundaries: 20 }) };
}

/** @param {ExploreJob} job */
function exploreOne(job) {
  const scenario = "generate" in job ? generatedScenario(job.generate) : scenarioNamed(job.scenario);
  return exploreWith(scenario, budgetOf(scenario.name));
}

/**
 * @param {import("../dist/explorer/index.js").Scenario} scenario
 * @param {import("../dist/explorer/index.js").ExplorationBudget} budget
 */
async function exploreWith({ name, explore }, budget) {
  const before = process.cpuUsage();
  const { violations, ...report } = await explore(budget);
  const { user, system } = process.cpuUsage(before);
  const described = violations.map((violation) => ({
    ...violation,
    text: describeCrashViolation(violation),
  }));
  return { name, ...report, violations: described, cpuMs: (user + system) / 1000 };
}
