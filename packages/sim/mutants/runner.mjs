// One copy of the packages, looked at by the instruments that are in that copy: `node runner.mjs <root> <budget as JSON>`.
// It ends with one line of JSON.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * @typedef {object} Budget
 * @property {import("../dist/index.js").ExplorationBudget} glance
 * @property {import("../dist/index.js").ExplorationBudget} [full] default: the glance was all
 * @property {import("../dist/index.js").ExplorationBudget} [deep] the same
 * @property {number} seeds
 * @property {number} operations of each simulation
 * @property {boolean} [withTrees] also the scenarios of trees of tables, which nothing but @kaya/lsm uses
 * @property {string} [first] scenarios with this in their name, or "simulation", come before all else
 *
 * @typedef {object} Finding
 * @property {"explorer" | "simulation"} instrument
 * @property {string} where the scenario, or the seed
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
const { engineScenarios, lsmScenarios, tableScenarios, UnmetFaultError, walScenarios } =
  await load("explorer/index.js");
const { runSimulation } = await load("simulation/index.js");

// The same fault in one place after the other: many, and much alike.
const PLACE = / at operation (\d+)$/;
const FIRST_SEEDS = 60;

/** @type {Budget} */
const budget = JSON.parse(budgetText);
/** @type {RunnerResult} */
const result = { states: 0, seeds: 0, unfinished: [] };
await run();
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0)); // promises of a store that hangs stay open

/** First a glance at everything that is unlike the rest, so that most bugs are seen early. */
async function run() {
  const trees = budget.withTrees === true ? lsmScenarios() : [];
  const scenarios = [...walScenarios(), ...tableScenarios(), ...engineScenarios(), ...trees];
  const placeOf = ({ name }) => Number(PLACE.exec(name)?.[1]);
  const single = scenarios.filter((scenario) => Number.isNaN(placeOf(scenario)));
  const serial = scenarios.filter((scenario) => !single.includes(scenario));
  const first = budget.first === undefined ? [] : single.filter(({ name }) => name.includes(budget.first));
  result.found =
    (await simulateTo(budget.first === "simulation" ? Math.min(FIRST_SEEDS, budget.seeds) : 0)) ??
    (await exploreAll(first, budget.glance)) ??
    (await exploreAll(first, budget.full)) ??
    (await exploreAll(first, budget.deep)) ??
    (await exploreAll(single, budget.glance)) ??
    (await simulateTo(Math.min(FIRST_SEEDS, budget.seeds))) ??
    (await exploreAll(single, budget.full)) ??
    (await exploreAll(single, budget.deep)) ??
    (await exploreAll(
      serial.toSorted((a, b) => placeOf(a) - placeOf(b)),
      budget.full ?? budget.glance,
    )) ??
    (await simulateTo(budget.seeds));
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
    const { violation } = await runSimulation({ seed: result.seeds, operations: budget.operations });
    if (violation === undefined) continue;
    return { instrument: "simulation", where: `seed ${result.seeds}`, message: violation.message };
  }
  return undefined;
}
