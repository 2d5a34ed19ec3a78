import { noMonth } from "./month/figures.mjs";
import { noKills } from "./real/kill-loop.mjs";

/** @typedef {{ seed: number, message: string, again: string, trace?: unknown }} Found what broke, and how to have it again */
/** @typedef {{ name: string, boundaries: number, raw: number, distinct: number, insideRecovery: number, violations: number, ms: number }} Row */

const SIMULATION_COUNTS = /** @type {const} */ ([
  "runs",
  "steps",
  "diskOperations",
  "crashes",
  "kills",
  "faultPairs",
  "reopenings",
  "flushes",
  "compactions",
  "looks",
  "acknowledged",
  "delivered",
  "reads",
  "consumed",
  "truncated",
  "backups",
  "backupsAgain",
  "recoveredTo",
]);

/** @typedef {{ scenarios: string[], seeds: number, states: number }} Cut scenarios and seeds that were not begun, and states that are missing to those wanted */

/** @returns {Cut} */
export const noCut = () => ({ scenarios: [], seeds: 0, states: 0 });

/** The sums over all jobs that are done. */
export class Tally {
  /** By scenario; the generated ones together. @type {Map<string, Row>} */
  rows = new Map();
  /** Of the short looks at scenarios, whose states are not in `rows`. */
  glances = { scenarios: 0, distinct: 0, ms: 0 };
  /** @type {Record<string, number>} */
  statesByKind = {};
  /** Of the workloads in which two faults strike: the pairs that did, by text, and the states that were made of them. @type {Map<string, number>} */
  faultPairs = new Map();
  faultPairStates = 0;
  /** @type {Record<string, number>} */
  simulation = Object.fromEntries(SIMULATION_COUNTS.map((name) => [name, 0]));
  /** @type {Record<string, number>} */
  faults = {};
  simulationMs = 0;
  kills = noKills();
  month = noMonth();
  /** Of the cluster. @type {{ figures: string[][], violations: string[], skipped: string[] }} */
  cluster = { figures: [], violations: [], skipped: [] };
  /** @type {Found[]} */
  crashViolations = [];
  /** @type {Found[]} */
  simulationViolations = [];
  /** Jobs that came to no end. @type {Found[]} */
  broken = [];
  /** What the time did not suffice for. */
  cut = noCut();

  /** @param {any} report */
  addExploration({ name, boundaries, faultPairs, states, violations, cpuMs, seed }) {
    const key = name.replace(/generated from seed \d+/, "generated from seeds");
    const row = this.rows.get(key) ?? {
      name: key,
      boundaries: 0,
      raw: 0,
      distinct: 0,
      insideRecovery: 0,
      violations: 0,
      ms: 0,
    };
    row.boundaries += boundaries;
    row.raw += states.raw;
    row.distinct += states.distinct;
    row.insideRecovery += states.insideRecovery;
    row.violations += violations.length;
    row.ms += cpuMs;
    this.rows.set(key, row);
    add(this.statesByKind, states.byKind);
    for (const pair of faultPairs) this.faultPairs.set(pair, (this.faultPairs.get(pair) ?? 0) + 1);
    if (faultPairs.length > 0) this.faultPairStates += states.distinct;
    this.#addViolations(name, seed, violations);
  }

  /** @param {any} report */
  addGlance({ name, states, violations, cpuMs, seed }) {
    this.glances.scenarios++;
    this.glances.distinct += states.distinct;
    this.glances.ms += cpuMs;
    this.#addViolations(name, seed, violations);
  }

  /**
   * @param {string} name of the scenario
   * @param {number} seed
   * @param {readonly { text: string, crashes: unknown }[]} violations
   */
  #addViolations(name, seed, violations) {
    for (const { text, crashes } of violations) {
      const trace = { scenario: name, seed, crashes };
      this.crashViolations.push({ seed, message: `${name}: ${text}`, again: "", trace });
    }
  }

  /**
   * @param {any} summary
   * @param {number} operations
   */
  addSimulation(summary, operations) {
    for (const name of SIMULATION_COUNTS)
      this.simulation[name] = (this.simulation[name] ?? 0) + summary[name];
    add(this.faults, summary.faults);
    this.simulationMs += summary.cpuMs;
    for (const { seed, violation } of summary.failures) {
      const message = `seed ${seed}, step ${violation.step}: ${violation.rule}: ${violation.message}`;
      const again = `node packages/kayactl/dist/bin.js sim run --seed ${seed} --ops ${operations} --runs 1`;
      this.simulationViolations.push({ seed, message, again });
    }
  }

  /** @param {import("./real/kill-loop.mjs").KillFigures} figures */
  addKills({ violations, ...counts }) {
    for (const [name, count] of Object.entries(counts)) this.kills[/** @type {"kills"} */ (name)] += count;
    this.kills.violations.push(...violations);
  }

  /** @param {"raw" | "distinct" | "insideRecovery" | "boundaries" | "ms"} field */
  sum(field) {
    return [...this.rows.values()].reduce((total, row) => total + row[field], 0);
  }

  get violations() {
    const { crashViolations, simulationViolations, kills, month, cluster, broken } = this;
    const found = [
      crashViolations,
      simulationViolations,
      kills.violations,
      month.violations,
      cluster.violations,
      broken,
    ];
    return found.reduce((sum, { length }) => sum + length, 0);
  }
}

/**
 * @param {Record<string, number>} sum
 * @param {Record<string, number>} more
 */
function add(sum, more) {
  for (const [name, count] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + count;
}
