// One copy of the packages, looked at by the instruments that are in that copy: `node runner.mjs <root> <budget as JSON>`.
// It ends with one line of JSON.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { REAL_PROGRAMS } from "./real-programs.mjs";

/**
 * @typedef {object} Budget
 * @property {import("../dist/index.js").ExplorationBudget} [peek] default: the glance comes first
 * @property {import("../dist/index.js").ExplorationBudget} glance
 * @property {import("../dist/index.js").ExplorationBudget} [full] default: the glance was all
 * @property {import("../dist/index.js").ExplorationBudget} [deep] the same
 * @property {import("../dist/index.js").ExplorationBudget} [pairs] of schedules of two faults; default: the glance
 * @property {number} seeds
 * @property {number} operations of each simulation
 * @property {boolean} [oneFault] without schedules of two faults: to see what those are needed for
 * @property {boolean} [isReal] the programs in real/ look, and nothing else
 * @property {boolean} [isCluster] the simulation and the explorer of the cluster look, and nothing else
 * @property {boolean} [withTrees] also the scenarios of trees of tables, which nothing but @kaya/lsm uses
 * @property {string} [scenarios] those alone that have this in their name; default: all
 * @property {import("./places.mjs").Place} [place] is looked at before all else: where the bug was found before
 * @property {string} [first] scenarios with this in their name, or "simulation", come next
 *
 * @typedef {object} Finding
 * @property {"explorer" | "simulation" | "real" | "cluster"} instrument
 * @property {string} where the scenario, the seed, or the program
 * @property {import("./places.mjs").Place} [place] of an explorer's or a simulation's finding
 * @property {string} message
 *
 * @typedef {object} RunnerResult
 * @property {Finding} [found] the first violation; nothing is run after it
 * @property {number} states distinct crash states that were checked
 * @property {number} seeds simulations that were run
 * @property {string[]} unfinished scenarios that the bug keeps from being run to their end
 * @property {number} cpuMs of this process
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
// Of the cluster: how often seeds and runs with faults take turns, and how many of each.
const CLUSTER_TURNS = 6;
const CLUSTER_SEEDS = 25;
const CLUSTER_RUNS = 60;
const CLUSTER_STEPS = 200;

/** Of the search, without the place that was looked at before it. */
let searchedSeeds = 0;

/** @type {Budget} */
const budget = JSON.parse(budgetText);
/** @type {RunnerResult} */
const result = { states: 0, seeds: 0, unfinished: [], cpuMs: 0 };
if (budget.isReal) result.found = await runReal();
else if (budget.isCluster) result.found = await runCluster();
else await run();
const { user, system } = process.cpuUsage();
result.cpuMs = Math.round((user + system) / 1000);
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0)); // promises of a store that hangs stay open

/**
 * Three nodes over one log: the run that found the bug before; then seeds and runs with one or two faults, by turns.
 * @returns {Promise<Finding | undefined>}
 */
async function runCluster() {
  const { exploreCluster, exploreFaults, runClusterSimulation } = await import(
    pathToFileURL(join(root, "node_modules/@kaya/cluster/dist/testing/index.js")).href
  );
  process.setMaxListeners(1000);
  const finding = (how, which, { rule, message }) => {
    const where = `${how} ${which}`;
    return { instrument: "cluster", where, place: `cluster ${where}`, message: `${rule}: ${message}` };
  };
  const simulated = async (seed) => {
    result.seeds++;
    const { violation } = await runClusterSimulation({ seed, steps: CLUSTER_STEPS });
    return violation && finding("seed", seed, violation);
  };
  const struck = async (faults) => {
    result.seeds++;
    const { violation } = await exploreFaults(faults);
    return violation && finding("faults", faults, violation);
  };
  const [, how, which] = /^cluster (\S+) (.*)$/.exec(budget.place ?? "") ?? [];
  const known =
    how === "seed" ? await simulated(Number(which)) : how === "faults" ? await struck(which) : undefined;
  if (known !== undefined) return known;
  for (let turn = 1; turn <= CLUSTER_TURNS; turn++) {
    for (let seed = CLUSTER_SEEDS * (turn - 1) + 1; seed <= CLUSTER_SEEDS * turn; seed++) {
      const found = await simulated(seed);
      if (found !== undefined) return found;
    }
    const { violations, singles, pairs } = await exploreCluster({
      maxRuns: CLUSTER_RUNS,
      seed: turn,
      untilFirst: true,
    });
    result.seeds += singles + pairs;
    const [first] = violations;
    if (first !== undefined) return finding("faults", first.faults, first.violation);
  }
  return undefined;
}

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

/** The place where the bug was found before; only if it is not found there, everything. */
async function run() {
  result.found = (await lookAt(budget.place)) ?? (await search());
}

/** First a short look at everything that is unlike the rest, so that most bugs are seen early. */
async function search() {
  const { single, serial } = allScenarios();
  const wantsPairs = !budget.oneFault && budget.first?.startsWith("two faults");
  const pairs = wantsPairs ? pairScenarios(FIRST_PAIR_SEEDS) : [];
  const isFirst = ({ name }) => budget.first !== undefined && name.includes(budget.first);
  const first = single.filter(isFirst);
  return (
    (await simulateTo(budget.first === "simulation" ? budget.seeds : 0)) ??
    (await exploreAll(pairs.filter(isFirst), "pairs")) ??
    (await exploreAll(first, "peek")) ??
    (await exploreAll(first, "glance")) ??
    (await exploreAll(first, "full")) ??
    (await exploreAll(first, "deep")) ??
    (await exploreAll(single, "peek")) ??
    (await simulateTo(Math.min(FIRST_SEEDS, budget.seeds))) ??
    (await exploreAll(single, "glance")) ??
    (await exploreAll(budget.oneFault ? [] : pairScenarios(PAIR_SEEDS), "pairs")) ??
    (await exploreAll(single, "full")) ??
    (await exploreAll(single, "deep")) ??
    (await exploreAll(
      serial.toSorted((a, b) => placeOf(a) - placeOf(b)),
      budget.full === undefined ? "glance" : "full",
    )) ??
    (await simulateTo(budget.seeds))
  );
}

/** The same fault at one operation after the other makes serial ones. */
function allScenarios() {
  const trees = budget.withTrees === true ? lsmScenarios() : [];
  const all = [...walScenarios(), ...tableScenarios(), ...engineScenarios(), ...trees];
  const scenarios = all.filter(isWanted);
  const single = scenarios.filter((scenario) => Number.isNaN(placeOf(scenario)));
  const serial = scenarios.filter((scenario) => !single.includes(scenario));
  return { single, serial };
}

function placeOf({ name }) {
  return Number(PLACE.exec(name)?.[1]);
}

/** @param {import("./places.mjs").Place | undefined} place @returns {Promise<Finding | undefined>} */
async function lookAt(place) {
  if (place === undefined) return undefined;
  const [, how, where] = /^(\S+) (.*)$/.exec(place);
  if (how === "simulation") return budget.seeds === 0 ? undefined : simulate(Number(where));
  if (how === "pairs" && budget.oneFault) return undefined;
  const { single, serial } = allScenarios();
  const all = how === "pairs" ? pairScenarios(FIRST_PAIR_SEEDS) : [...single, ...serial];
  return exploreAll(
    all.filter(({ name }) => name === where),
    how,
  );
}

/** The seeds one after the other: each has other pairs. */
function pairScenarios(seeds) {
  const each = Array.from({ length: seeds }, (_, seed) => faultPairScenarios({ seed, rounds: PAIR_ROUNDS }));
  return each.flat().filter(isWanted);
}

function isWanted({ name }) {
  return budget.scenarios === undefined || name.includes(budget.scenarios);
}

/** @param {"peek" | "glance" | "full" | "deep" | "pairs"} depth names the limits @returns {Promise<Finding | undefined>} */
async function exploreAll(scenarios, depth) {
  const limits = depth === "pairs" ? (budget.pairs ?? budget.glance) : budget[depth];
  if (limits === undefined) return undefined;
  for (const scenario of scenarios) {
    const { name } = scenario;
    const message = await explore(scenario, limits);
    if (message !== undefined)
      return { instrument: "explorer", where: name, place: `${depth} ${name}`, message };
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
  for (let seed = searchedSeeds + 1; seed <= last; seed++) {
    searchedSeeds = seed;
    const found = await simulate(seed);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** @returns {Promise<Finding | undefined>} */
async function simulate(seed) {
  result.seeds += 1;
  const { operations } = budget;
  const { violation } = await runSimulation({
    seed,
    operations,
    ...(budget.oneFault && { faultPairs: false }),
  });
  if (violation === undefined) return undefined;
  const where = `seed ${seed}`;
  return { instrument: "simulation", where, place: `simulation ${seed}`, message: violation.message };
}
