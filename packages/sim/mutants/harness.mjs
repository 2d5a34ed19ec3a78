import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MUTANTS } from "./mutants.mjs";
import { makeCopy, makePatchedCopy, StaleMutantError } from "./patched-copy.mjs";
import { recordedPlaces } from "./places.mjs";

/**
 * What became of a mutant.
 *
 * - `found`: the instruments see it.
 * - `survived`: they do not.
 * - `stale`: the code that it changes is not there any more.
 * - `broken`: the patch makes nonsense of the code, or its run came to no end; it proves nothing.
 *
 * @typedef {object} MutantResult
 * @property {string} name
 * @property {string} rule
 * @property {"found" | "survived" | "stale" | "broken"} outcome
 * @property {string} foundBy the scenario, "simulation", or the program in real/; empty where it was not found
 * @property {string} cost "123 states" or "4 seeds": what was run until it was found, or all that was run
 * @property {number} states
 * @property {number} seeds
 * @property {string} message of the violation, or what is wrong with the mutant
 * @property {import("./places.mjs").Place} [place] where it was found, for the next run
 * @property {import("./places.mjs").Place} [expected] where it was looked for before everything else
 * @property {number} ms
 * @property {number} [cpuMs] of the child that looked for it
 *
 * @typedef {object} MutationReport
 * @property {MutantResult | undefined} baseline the code as it is, with the same budget: it must survive
 * @property {MutantResult[]} mutants in the order of the list
 * @property {MutantResult[]} failures what was not found, and the baseline where it was
 * @property {MutantResult[]} misplaced what was found, but not where it was before: a search that `main.mjs --record` saves the next run
 */

/** All scenarios are crashed at all their boundaries. @type {import("./runner.mjs").Budget} */
const BUDGET = {
  peek: { maxStatesPerBoundary: 4, recoveryDepth: 0 },
  glance: { maxStatesPerBoundary: 3, maxStatesPerRecoveryBoundary: 1 },
  full: { maxStatesPerBoundary: 6, maxStatesPerRecoveryBoundary: 2 },
  pairs: { maxStatesPerBoundary: 6, recoveryDepth: 0 },
  deep: { maxStatesPerBoundary: 60, maxStatesPerRecoveryBoundary: 2 },
  seeds: 300,
  operations: 200,
};

const RUNNER = fileURLToPath(new URL("runner.mjs", import.meta.url));
const TIMEOUT_MS = 900_000;
const BASELINE = { name: "none (the code as it is)", rule: "" };

// A patch that throws such an error is a slip of the pen, and no bug that somebody would ship.
const NONSENSE = /is not a function|is not defined|is not iterable|Cannot read propert|KAYA_INTERNAL/;

/**
 * Puts each deliberate bug into a copy of the built packages, and lets the explorer and the simulation look for it there.
 *
 * @param {object} [options]
 * @param {string} [options.only] a part of the names of those that are wanted
 * @param {readonly import("./mutants.mjs").Mutant[]} [options.mutants] default: all that there are
 * @param {import("./runner.mjs").Budget} [options.budget] what is run before a bug counts as not found
 * @param {Record<string, import("./places.mjs").Place>} [options.places] where each was found before, by name; default: what is recorded
 * @param {boolean} [options.oneFault] without schedules of two faults; default false
 * @param {number} [options.concurrency] children at once; default 2
 * @param {boolean} [options.control] whether the code as it is is looked at too; default true
 * @param {(result: MutantResult) => void} [options.onResult]
 * @param {AbortSignal} [options.signal] ends the children, and rejects
 * @returns {Promise<MutationReport>}
 */
export async function runMutants(options = {}) {
  const { only = "", mutants = MUTANTS, budget = BUDGET, concurrency = 2 } = options;
  const { control = true, oneFault = false, onResult = () => {}, signal } = options;
  const { places = recordedPlaces() } = options;
  const wanted = mutants.filter(({ name }) => name.includes(only));
  if (wanted.length === 0) throw new Error(`no mutant has «${only}» in its name`);
  const results = [];
  const root = mkdtempSync(join(tmpdir(), "kaya-mutants-"));
  const original = join(root, "original"); // one for all: a build that runs meanwhile changes nothing
  const waiting = [undefined, ...wanted].entries(); // the baseline takes longest: first
  if (!control) waiting.next();
  const work = async () => {
    for (const [index, mutant] of waiting) {
      const copy = join(root, String(index));
      const place = mutant === undefined ? undefined : places[mutant.name];
      const ownBudget = { ...budget, oneFault, place };
      results[index] = await runMutant({ original, copy, mutant, budget: ownBudget, signal });
      signal?.throwIfAborted();
      onResult(results[index]);
    }
  };
  try {
    makeCopy(original);
    await Promise.all(Array.from({ length: concurrency }, work));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  const [baseline, ...found] = results;
  const failures = found.filter(({ outcome }) => outcome !== "found");
  const isBaselineFine = baseline === undefined || baseline.outcome === "survived";
  const misplaced = found.filter(({ place, expected }) => place !== expected && place !== undefined);
  return {
    baseline,
    mutants: found,
    failures: isBaselineFine ? failures : [baseline, ...failures],
    misplaced,
  };
}

async function runMutant(run) {
  const { name, rule } = run.mutant ?? BASELINE;
  const started = performance.now();
  const verdict = await look(run);
  rmSync(run.copy, { recursive: true, force: true });
  const { place: expected } = run.budget;
  return { name, rule, ...verdict, expected, ms: Math.round(performance.now() - started) };
}

async function look({ original, copy, mutant, budget, signal }) {
  try {
    makePatchedCopy(original, copy, mutant);
    const seeds = mutant?.instrument === "explorer" ? 0 : budget.seeds;
    const isReal = mutant?.instrument === "real";
    const isCluster = mutant?.instrument === "cluster";
    // explorer-lsm.test.ts shows that they find nothing in the code as it is.
    const withTrees = mutant?.file.startsWith("lsm/") === true;
    const result = await runChild(
      copy,
      { ...budget, seeds, isReal, isCluster, withTrees, first: mutant?.first },
      signal,
    );
    // The code as it is passes through all instruments.
    if (mutant === undefined && result.found === undefined)
      Object.assign(result, await otherFindings(copy, budget, signal));
    return judge(result);
  } catch (error) {
    const outcome = error instanceof StaleMutantError ? "stale" : "broken";
    return { outcome, foundBy: "", cost: "", states: 0, seeds: 0, message: error.message };
  }
}

async function otherFindings(copy, budget, signal) {
  const real = await runChild(copy, { ...budget, isReal: true }, signal);
  if (real.found !== undefined) return { found: real.found };
  const { found } = await runChild(copy, { ...budget, isCluster: true }, signal);
  return found === undefined ? {} : { found };
}

/** @returns {Promise<import("./runner.mjs").RunnerResult>} */
function runChild(copy, budget, signal) {
  return new Promise((resolve, reject) => {
    const args = [RUNNER, copy, JSON.stringify(budget)];
    execFile(process.execPath, args, { timeout: TIMEOUT_MS, signal }, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout));
      else reject(new Error(error.killed ? `no end after ${TIMEOUT_MS} ms` : stderr));
    });
  });
}

/** @param {import("./runner.mjs").RunnerResult} result */
function judge({ found, states, seeds, unfinished, cpuMs }) {
  if (found === undefined) {
    return {
      outcome: "survived",
      foundBy: "",
      cost: `${states} states, ${seeds} seeds`,
      states,
      seeds,
      message: unfinished.join("\n"),
      cpuMs,
    };
  }
  const { instrument, where, place, message } = found;
  return {
    outcome: NONSENSE.test(message) ? "broken" : "found",
    foundBy: instrument === "simulation" ? instrument : instrument === "cluster" ? `cluster ${where}` : where,
    cost: costOf(instrument, states, seeds),
    states,
    seeds,
    message,
    place,
    cpuMs,
  };
}

function costOf(instrument, states, seeds) {
  if (instrument === "real") return "1 program";
  if (instrument === "cluster") return `${seeds} ${seeds === 1 ? "run" : "runs"}`;
  if (instrument === "explorer") return `${states} states`;
  return `${seeds} ${seeds === 1 ? "seed" : "seeds"}`;
}
