// One copy of the packages, looked at by the instruments that are in that copy: `node runner.mjs <root> <budget as JSON>`.
// It ends with one line of JSON.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { REAL_PROGRAMS } from "./real-programs.mjs";

/**
 * @typedef {object} Budget
 * @property {import("../dist/index.js").ExplorationBudget} glance
 * @property {import("../dist/index.js").ExplorationBudget} [full] default: the glance was all
 * @property {import("../dist/index.js").ExplorationBudget} [deep] the same
 * @property {import("../dist/index.js").ExplorationBudget} [pairs] of schedules of two faults; default: the glance
 * @property {number} seeds
 * @property {number} operations of each simulation
 * @property {boolean} [oneFault] without schedules of two faults: to see what those are needed for
 * @property {boolean} [isReal] the programs in real/ look, and nothing else
 * @property {boolean} [withTrees] also the scenarios of trees of tables, which nothing but @kaya/lsm uses
 * @property {string} [first] scenarios with this in their name, or "simulation", come before all else
 *
 * @typedef {object} Finding
 * @property {"explorer" | "simulation" | "real"} instrument
 * @property {string} where the scenario, the seed, or the program
 * @property {string} message
 *
 * @typedef {object} RunnerResult
 * @property {Finding} [found] the first violation; nothing is run after it
 * @property {number} states distinct crash states that were checked
 * @property {number} seeds simulations that were run
 * @property {string[]} unfinished scenarios that the bug keeps from being run to their end
 */

const [root, budgetText] = process.argv.slice(2);
const sim = join(root, "node_modules/@kaya/sim/dist");
const load = (file) => import(pathToFileURL(join(sim, file)).href);
const { engineScenarios, faultPairScenarios, lsmScenarios, tableScenarios, UnmetFaultError, walScenarios } =
  await load("explorer/index.js");
const { runSimulation } = await load("simulation/index.js");

// The same fault in one place after the other: many, and much alike.
const PLACE = / at operation (\d+)$/;
const FIRST_SEEDS = 60;
// Seeds of the schedules of two faults: for a bug that these are to find, and for all others.
const FIRST_PAIR_SEEDS = 24;
const PAIR_SEEDS = 2;
const PAIR_ROUNDS = 10;
const REAL = fileURLToPath(new URL("real/", import.meta.url));
const REAL_TIMEOUT_MS = 30_000;

/** @type {Budget} */
const budget = JSON.parse(budgetText);
/** @type {RunnerResult} */
const result = { states: 0, seeds: 0, unfinished: [] };
if (budget.isReal) result.found = await runReal();
else await run();
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0)); // promises of a store that hangs stay open

/** Programs on a real disk, for what no simulated one has: the one that is named first, or all. @returns {Promise<Finding | undefined>} */
async function runReal() {
  const wanted = budget.first === undefined ? REAL_PROGRAMS : [budget.first];
  for (const name of wanted) {
    const message = await runProgram(name);
    if (message !== undefined) return { instrument: "real", where: name, message };
  }
  return undefined;
}

/** @returns {Promise<string | undefined>} what it throws */
function runProgram(name) {
  if (!existsSync(join(REAL, `${name}.mjs`))) throw new Error(`there is no program ${name} in ${REAL}`);
  return new Promise((resolve) => {
    const args = [join(REAL, `${name}.mjs`), root];
    execFile(process.execPath, args, { timeout: REAL_TIMEOUT_MS }, (error, _, stderr) => {
      if (error === null) resolve(undefined);
      else if (error.killed) resolve(`${name} comes to no end`);
      else resolve(/^.*Error: .*$/m.exec(stderr)?.[0] ?? stderr);
    });
  });
}

/** First a glance at everything that is unlike the rest, so that most bugs are seen early. */
async function run() {
  const trees = budget.withTrees === true ? lsmScenarios() : [];
  const scenarios = [...walScenarios(), ...tableScenarios(), ...engineScenarios(), ...trees];
  const placeOf = ({ name }) => Number(PLACE.exec(name)?.[1]);
  const single = scenarios.filter((scenario) => Number.isNaN(placeOf(scenario)));
  const serial = scenarios.filter((scenario) => !single.includes(scenario));
  const wantsPairs = !budget.oneFault && budget.first?.startsWith("two faults");
  const pairs = wantsPairs ? pairScenarios(FIRST_PAIR_SEEDS) : [];
  const isFirst = ({ name }) => budget.first !== undefined && name.includes(budget.first);
  const first = single.filter(isFirst);
  const pairLimits = budget.pairs ?? budget.glance;
  result.found =
    (await simulateTo(budget.first === "simulation" ? Math.min(FIRST_SEEDS, budget.seeds) : 0)) ??
    (await exploreAll(pairs.filter(isFirst), pairLimits)) ??
    (await exploreAll(first, budget.glance)) ??
    (await exploreAll(first, budget.full)) ??
    (await exploreAll(first, budget.deep)) ??
    (await exploreAll(single, budget.glance)) ??
    (await simulateTo(Math.min(FIRST_SEEDS, budget.seeds))) ??
    (await exploreAll(budget.oneFault ? [] : pairScenarios(PAIR_SEEDS), pairLimits)) ??
    (await exploreAll(single, budget.full)) ??
    (await exploreAll(single, budget.deep)) ??
    (await exploreAll(
      serial.toSorted((a, b) => placeOf(a) - placeOf(b)),
      budget.full ?? budget.glance,
    )) ??
    (await simulateTo(budget.seeds));
}

/** The seeds one after the other: each has other pairs. */
function pairScenarios(seeds) {
  return Array.from({ length: seeds }, (_, seed) => faultPairScenarios({ seed, rounds: PAIR_ROUNDS })).flat();
}

/** @returns {Promise<Finding | undefined>} */
async function exploreAll(scenarios, limits) {
  if (limits === undefined) return undefined;
  for (const scenario of scenarios) {
    const message = await explore(scenario, limits);
    if (message !== undefined) return { instrument: "explorer", where: scenario.name, message };
  }
  return undefined;
}

async function explore(scenario, limits) {
  try {
    const report = await scenario.explore({ ...limits, maxViolations: 1 });
    result.states += report.states.distinct;
    return report.violations[0]?.message;
  } catch (error) {
    if (!(error instanceof UnmetFaultError)) return `the workload does not come to its end: ${error.message}`;
    // No broken promise: a bug that leaves out operations moves the faults of a scenario to where they do not fit.
    result.unfinished.push(`${scenario.name}: ${error.message}`);
    return undefined;
  }
}

/** @returns {Promise<Finding | undefined>} */
async function simulateTo(last) {
  while (result.seeds < last) {
    result.seeds += 1;
    const { violation } = await runSimulation({
      seed: result.seeds,
      operations: budget.operations,
      ...(budget.oneFault && { faultPairs: false }),
    });
    if (violation === undefined) continue;
    return { instrument: "simulation", where: `seed ${result.seeds}`, message: violation.message };
  }
  return undefined;
}
