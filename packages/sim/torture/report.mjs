/** @param {number} count */
const n = (count) => count.toLocaleString("en-US");

/** @param {number} ms */
export function formatDuration(ms) {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** @param {number} count */
const violations = (count) =>
  count === 1 ? "1 VIOLATION" : count > 1 ? `${n(count)} VIOLATIONS` : "0 violations";

/**
 * The table of the scenarios.
 * @param {import("./tally.mjs").Tally} tally
 */
export function scenarioTable({ rows }) {
  const lines = [
    ["scenario", "boundaries", "made", "distinct, checked", "in recovery", "violations", "ms of CPU"],
  ];
  for (const row of [...rows.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const counts = [
      row.boundaries,
      row.raw,
      row.distinct,
      row.insideRecovery,
      row.violations,
      Math.round(row.ms),
    ];
    lines.push([row.name, ...counts.map(n)]);
  }
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  const cell = (/** @type {string} */ text, /** @type {number} */ column) =>
    column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0);
  return lines.map((line) => line.map(cell).join("  ")).join("\n");
}

/**
 * The figures.
 * @param {import("./tally.mjs").Tally} tally
 * @param {import("./mutants.mjs").MutantFigures | undefined} mutants
 * @param {{ machine: ReturnType<typeof import("./machine.mjs").describeMachine>, ms: number, processes: number, order: number, isInterrupted: boolean }} run
 */
export function figures(tally, mutants, { machine, ms, processes, order, isInterrupted }) {
  const { simulation, faults, kills, month } = tally;
  const rows = [
    [
      "crash states",
      `${n(tally.sum("raw"))} made, ${n(tally.sum("distinct"))} distinct, each of them checked: ${violations(tally.crashViolations.length)}`,
    ],
    [
      "",
      `${n(tally.sum("insideRecovery"))} of them inside recovery; ${tally.rows.size} workloads, ${n(tally.sum("boundaries"))} moments; ${formatDuration(tally.sum("ms"))} of one core`,
    ],
    ["", counts(tally.statesByKind)],
    ...glanceRows(tally.glances),
    [
      "two faults",
      `${n(tally.faultPairStates)} of the distinct states behind pairs of faults, of which ${n(tally.faultPairs.size)} unlike ones struck; ${n(simulation.faultPairs ?? 0)} pairs struck in the simulation`,
    ],
    [
      "simulation",
      `${n(simulation.runs ?? 0)} seeds, ${n(simulation.steps ?? 0)} steps: ${violations(tally.simulationViolations.length)}`,
    ],
    [
      "",
      `${n(simulation.diskOperations ?? 0)} disk operations, ${n(simulation.crashes ?? 0)} power cuts, ${n(simulation.kills ?? 0)} kills, ${n(simulation.reopenings ?? 0)} reopenings, ${n(simulation.flushes ?? 0)} flushes, ${n(simulation.compactions ?? 0)} compactions, ${n(simulation.looks ?? 0)} read-only openings, ${n(simulation.delivered ?? 0)} changes delivered, ${n(simulation.backups ?? 0)} backups, ${n(simulation.recoveredTo ?? 0)} recovered to an LSN; ${formatDuration(tally.simulationMs)} of one core`,
    ],
    ["", `faults: ${counts(faults)}`],
    ["SIGKILLs", `${n(kills.kills)} of a real writer: ${violations(kills.violations.length)}`],
    [
      "",
      `${n(kills.acknowledged)} acknowledged writes, ${n(kills.durable)} of them durable by then; ${n(kills.survivors)} more were there that nobody was told of`,
    ],
  ];
  if (month.lives > 0) rows.push(...monthRows(month));
  rows.push(...clusterRows(tally.cluster));
  if (mutants !== undefined) {
    const missed = mutants.survivors.map(({ name }) => name);
    const found = mutants.mutants.filter(({ name }) => !missed.includes(name)).length;
    rows.push(["mutants", `${found} of ${mutants.mutants.length} found`]);
  }
  rows.push(...cutRows(tally.cut));
  rows.push(
    [
      "took",
      `${formatDuration(ms)} with ${processes} processes, --order ${order}${isInterrupted ? ", then interrupted" : ""}`,
    ],
    ["on", `${machine.date}, commit ${machine.commit}, Node ${machine.node}`],
    ["", `${machine.system}, ${machine.cpu}, ${machine.memoryGiB} GiB`],
  );
  return rows.map(([name = "", text]) => `${name.padEnd(12)}  ${text}`).join("\n");
}

/** @param {import("./tally.mjs").Tally["glances"]} glances */
function glanceRows({ scenarios, distinct, ms }) {
  if (scenarios === 0) return [];
  return [
    [
      "glances",
      `${n(distinct)} distinct states of ${n(scenarios)} scenarios; ${formatDuration(ms)} of one core`,
    ],
  ];
}

/**
 * How much the time did not suffice for; all of it is explored with more `--minutes`. Which scenarios: `--json`.
 * @param {import("./tally.mjs").Cut} cut
 */
function cutRows({ scenarios, seeds, states }) {
  const parts = [
    ...(scenarios.length > 0 ? [`${n(scenarios.length)} scenarios`] : []),
    ...(seeds > 0 ? [`${n(seeds)} seeds`] : []),
    ...(states > 0 ? [`${n(states)} of the states that are wanted`] : []),
  ];
  if (parts.length === 0) return [];
  return [["CUT", `the time was up (--minutes): not begun are ${parts.join(", ")}`]];
}

/** @param {import("./tally.mjs").Tally["cluster"]} cluster */
function clusterRows({ figures: rows, violations: found, skipped }) {
  if (rows.length + skipped.length === 0) return [];
  const first = ["cluster", `${violations(found.length)}`];
  return [
    first,
    ...rows.map(([name = "", text = ""]) => ["", name === "" ? text : `${name}: ${text}`]),
    ...skipped.map((text) => ["", `SKIPPED ${text}`]),
  ];
}

/** @param {import("./month/figures.mjs").MonthFigures} month */
function monthRows({
  writes,
  lives,
  kills,
  flushes,
  compactions,
  backups,
  snapshots,
  scans,
  conflicts,
  changes,
  changesAgain,
  reads,
  refusedReads,
  looks,
  most,
  violations: found,
}) {
  const { disk, tables, kept, rss, handles } = most;
  const mib = (/** @type {number} */ bytes) => n(Math.round(bytes / 2 ** 20));
  return [
    [
      "a month",
      `${n(writes)} writes in ${n(lives)} lives, ${n(kills)} of them killed: ${violations(found.length)}`,
    ],
    [
      "",
      `${n(flushes)} flushes, ${n(compactions)} compactions, ${n(backups)} backups opened and compared, ${n(snapshots)} snapshots, ${n(scans)} scans, ${n(conflicts)} conflicts`,
    ],
    [
      "",
      `${n(changes)} changes followed and compared, ${n(changesAgain)} of them given again; ${n(reads)} reads by token, ${n(refusedReads)} of them refused`,
    ],
    [
      "",
      `at most, in ${n(looks)} looks: ${mib(disk)} MiB on the disk, ${mib(tables)} of them tables, ${mib(kept)} MiB kept for the consumer, ${mib(rss)} MiB resident, ${handles} file handles`,
    ],
  ];
}

/** @param {Record<string, number>} record */
function counts(record) {
  const parts = Object.entries(record).map(([name, count]) => `${name} ${n(count)}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

/**
 * What broke, and how to have it again.
 * @param {import("./tally.mjs").Tally} tally
 * @param {import("./mutants.mjs").MutantFigures | undefined} mutants
 */
export function failures({ crashViolations, simulationViolations, kills, month, cluster, broken }, mutants) {
  const lines = [...crashViolations, ...simulationViolations, ...broken].map(
    ({ message, again }) => `VIOLATION ${message}\n  again: ${again}`,
  );
  for (const { seed, generation, dir, message } of kills.violations) {
    lines.push(`VIOLATION kill ${generation} of seed ${seed}: ${message}\n  the directory is kept: ${dir}`);
  }
  for (const { seed, generation, dir, message } of month.violations) {
    lines.push(`VIOLATION life ${generation} of seed ${seed}: ${message}\n  the directory is kept: ${dir}`);
  }
  for (const message of cluster.violations) lines.push(`VIOLATION of the cluster: ${message}`);
  for (const { name, outcome = "survived", message = "" } of mutants?.survivors ?? []) {
    lines.push(
      `MUTANT ${outcome}: ${name} ${message}\n  again: node packages/sim/mutants/main.mjs --only '${name}'`,
    );
  }
  return lines;
}
