// A child process of main.mjs: does one job at a time, and says what came of it.
import { describeCrashViolation } from "../dist/explorer/index.js";
import { runSimulations } from "../dist/simulation/index.js";
import { generatedScenario } from "./generated-scenarios.mjs";
import { liveAMonth } from "./month/month.mjs";
import { killLoop } from "./real/kill-loop.mjs";
import { scenarioNamed } from "./scenario-named.mjs";

/**
 * @typedef {{ kind: "explore", scenario: string }} NamedJob
 * @typedef {NamedJob | { kind: "explore", generate: number }} ExploreJob
 * @typedef {{ kind: "simulate", from: number, to: number, operations: number }} SimulateJob
 * @typedef {{ kind: "kill", kills: number, seed: number, dir: string }} KillJob
 * @typedef {{ kind: "month", writes: number, seed: number, dir: string }} MonthJob
 * @typedef {ExploreJob | SimulateJob | KillJob | MonthJob} Job
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

/** @param {ExploreJob} job */
async function exploreOne(job) {
  const { name, explore } = "generate" in job ? generatedScenario(job.generate) : scenarioNamed(job.scenario);
  const before = process.cpuUsage();
  const { violations, ...report } = await explore(budgetOf(name));
  const { user, system } = process.cpuUsage(before);
  const described = violations.map((violation) => ({
    ...violation,
    text: describeCrashViolation(violation),
  }));
  return { name, ...report, violations: described, cpuMs: (user + system) / 1000 };
}
