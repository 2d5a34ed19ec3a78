// A child process of main.mjs: does one job at a time, and says what came of it.
import { describeCrashViolation } from "../dist/explorer/index.js";
import { runSimulations } from "../dist/simulation/index.js";
import { generatedScenario } from "./generated-scenarios.mjs";
import { liveAMonth } from "./month/month.mjs";
import { killLoop } from "./real/kill-loop.mjs";
import { scenarioNamed } from "./scenario-named.mjs";

/**
 * @typedef {{ kind: "explore", scenario: string } | { kind: "explore", generate: number }} ExploreJob
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
  return runSimulations({ seeds: { from, to }, operations });
}

/**
 * States of an operation, and of one inside the recovery from it. Opening a tree of tables takes a hundred times what opening a log takes.
 * @param {string} name of a scenario
 */
function budgetOf(name) {
  return name.startsWith("lsm:")
    ? { maxStatesPerBoundary: 1, maxStatesPerRecoveryBoundary: 1 }
    : { maxStatesPerBoundary: 200, maxStatesPerRecoveryBoundary: 6 };
}

/** @param {ExploreJob} job */
async function exploreOne(job) {
  const { name, explore } = "generate" in job ? generatedScenario(job.generate) : scenarioNamed(job.scenario);
  const { violations, ...report } = await explore(budgetOf(name));
  const described = violations.map((violation) => ({
    ...violation,
    text: describeCrashViolation(violation),
  }));
  return { name, ...report, violations: described };
}
