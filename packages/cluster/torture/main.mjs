// Searches for broken promises of the cluster: the simulation, the explorer, and real processes over a real etcd.
import {
  describeClusterViolation,
  exploreCluster,
  exploreFaults,
  runClusterSimulation,
} from "../dist/testing/index.js";
import { runChaos } from "./chaos/chaos.mjs";
import { parseOptions, USAGE } from "./options.mjs";

/** @typedef {import("./options.mjs").ClusterTortureOptions} Options */
/** @typedef {{ figures: string[][], violations: string[], skipped: string[] }} Report rows of a name and a text */

process.setMaxListeners(100);
const options = read();
if (options === undefined) console.log(USAGE);
else {
  const report = await torture(options);
  if (options.json) console.log(JSON.stringify(report));
  else print(report);
  process.exitCode = report.violations.length === 0 ? 0 : 1;
}

function read() {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(4);
  }
}

/**
 * @param {Options} options
 * @returns {Promise<Report>}
 */
async function torture(options) {
  /** @type {Report} */
  const report = { figures: [], violations: [], skipped: [] };
  if (options.faults !== undefined) {
    const { violation } = await exploreFaults(options.faults);
    if (violation !== undefined) report.violations.push(`${violation.rule}: ${violation.message}`);
    return report;
  }
  await simulate(options, report);
  if (options.explorer) await explore(options, report);
  if (options.chaos) await chaos(options, report);
  return report;
}

/**
 * @param {Options} options
 * @param {Report} report
 */
async function simulate({ seeds, seconds, steps, explorer }, report) {
  const end = performance.now() + seconds * (explorer ? 500 : 1000);
  const { from, to } = seeds ?? { from: 1, to: Number.MAX_SAFE_INTEGER };
  const sum = { runs: 0, acknowledged: 0, inDoubt: 0, refused: 0, epochs: 0, calls: 0, reads: 0 };
  /** @type {Record<string, number>} */
  const faults = {};
  for (let seed = from; seed <= to && (seeds !== undefined || performance.now() < end); seed++) {
    const result = await runClusterSimulation({ seed, steps });
    sum.runs++;
    sum.epochs += result.epochs;
    sum.calls += result.calls;
    for (const name of /** @type {const} */ (["acknowledged", "inDoubt", "refused", "reads"]))
      sum[name] += result.clients[name];
    for (const [name, count] of Object.entries(result.faults)) faults[name] = (faults[name] ?? 0) + count;
    if (result.violation !== undefined) report.violations.push(describeClusterViolation(result, steps));
  }
  const struck = Object.values(faults).reduce((total, count) => total + count, 0);
  report.figures.push(
    [
      "simulation",
      `${sum.runs} seeds, ${sum.calls} calls of the shared log, ${struck} faults of ${Object.keys(faults).length} kinds, ${sum.epochs} epochs`,
    ],
    [
      "",
      `${sum.acknowledged} acknowledged writes, ${sum.inDoubt} of unknown outcome, ${sum.refused} refused, ${sum.reads} linearizable reads`,
    ],
  );
}

/**
 * @param {Options} options
 * @param {Report} report
 */
async function explore({ seconds, order }, report) {
  const end = AbortSignal.timeout(seconds * 500);
  const found = await exploreCluster({ maxRuns: 1_000_000, seed: order, signal: end });
  const { calls, singles, pairs, all, acknowledged, inDoubt } = found;
  report.figures.push([
    "explorer",
    `${singles} runs with a fault at one of ${calls} calls and ${pairs} runs with two faults, of ${all} possible runs (--order ${order}); ${acknowledged} acknowledged writes, ${inDoubt} of unknown outcome`,
  ]);
  for (const { faults, violation } of found.violations)
    report.violations.push(
      `faults ${faults}: ${violation.rule}: ${violation.message}\nrun it again: node packages/cluster/torture/main.mjs --faults ${faults}`,
    );
}

/**
 * @param {Options} options
 * @param {Report} report
 */
async function chaos({ minutes, order }, report) {
  const found = await runChaos({ minutes, seed: order });
  report.figures.push(...found.figures);
  report.violations.push(...found.violations);
  report.skipped.push(...found.skipped);
}

/** @param {Report} report */
function print({ figures, violations, skipped }) {
  for (const [name = "", text] of figures) console.log(`${name.padEnd(12)}  ${text}`);
  for (const text of skipped) console.log(`skipped       ${text}`);
  for (const text of violations) console.log(`\nVIOLATION ${text}`);
}
