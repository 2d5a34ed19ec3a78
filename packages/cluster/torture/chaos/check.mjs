import { checkLinearizability, describeLinearizability } from "../../dist/testing/index.js";

/** @typedef {import("./history.mjs").Recorded} Recorded */
/** @typedef {{ id: string, lsn?: number, rows?: [string, string][], loads?: number, bases?: number, trims?: number, error?: string }} NodeState */

/**
 * Compares the answers that the clients got, the shared log, and the data of each node.
 * @param {{ history: Recorded[], model: import("../../dist/testing/simulation/log-model.js").LogModel, states: NodeState[], base: number }}
 *   found
 */
export function checkAll({ history, model, states, base }) {
  /** @type {string[]} */
  const violations = [];
  const counts = noCounts();
  for (const call of history) {
    if (call.writes.length === 0) counts.reads += call.outcome === "ok" ? 1 : 0;
    else checkWrite(call, model, counts, violations);
  }
  const expected = JSON.stringify([...model.stateAt(model.records.length)]);
  for (const { id, rows, error } of states) {
    const state = JSON.stringify([...(rows ?? [])].sort((a, b) => (a[0] < b[0] ? -1 : 1)));
    if (error !== undefined || state !== expected)
      violations.push(`the data of ${id} differs from the shared log: ${error ?? ""}`);
  }
  const started = performance.now();
  const result = checkLinearizability(history, { maxConfigurations: 1_000_000 });
  if (result.verdict === "violation") violations.push(describeLinearizability(result));
  const sum = (/** @type {"loads" | "bases" | "trims"} */ name) =>
    states.reduce((total, state) => total + (state[name] ?? 0), 0);
  const figures = [
    [
      "",
      `${counts.acknowledged} acknowledged writes in ${model.records.length} records, each on ${states.length} nodes: ${counts.lost} lost; ${counts.doubt} in doubt (${counts.doubtDone} of them were done); ${counts.refused} refused and not in the log, ${counts.conflicts} conflicts`,
    ],
    [
      "",
      `history of ${result.operations} operations, ${counts.reads} of them linearizable reads: ${result.verdict} after ${result.configurations} configurations, ${Math.round(performance.now() - started)} ms; the newest base is at LSN ${base}; since their last start the nodes made ${sum("bases")} bases and loaded ${sum("loads")}`,
    ],
  ];
  return { violations, figures };
}

/**
 * @param {Recorded} call
 * @param {import("../../dist/testing/simulation/log-model.js").LogModel} model
 * @param {ReturnType<typeof noCounts>} counts
 * @param {string[]} violations
 */
function checkWrite(call, model, counts, violations) {
  const unique = call.writes.find(({ value }) => value !== undefined);
  const found = unique === undefined ? undefined : model.recordsWith(unique);
  const text = () =>
    `${call.process} ${call.name} of ${JSON.stringify(call.writes).slice(0, 120)}: ${call.outcome} ${call.code ?? ""} as LSN ${call.lsn}, in the shared log at ${found?.join() || "no LSN"}`;
  if (call.outcome === "ok") {
    counts.acknowledged++;
    const record = model.records[(call.lsn ?? 0) - 1];
    const isThere =
      record !== undefined &&
      call.writes.every(({ key, value }) =>
        record.writes.some((write) => write.key === key && write.value === value),
      );
    if (isThere && (found === undefined || found.length === 1)) return;
    counts.lost++;
    violations.push(`acknowledged, but not exactly once in the log: ${text()}`);
  } else if (call.outcome === "unknown") {
    counts.doubt++;
    counts.doubtDone += found !== undefined && found.length > 0 ? 1 : 0;
    if (found !== undefined && found.length > 1) violations.push(`there twice: ${text()}`);
  } else {
    counts[call.outcome === "conflict" ? "conflicts" : "refused"]++;
    if (found !== undefined && found.length > 0) violations.push(`refused, and there: ${text()}`);
  }
}

function noCounts() {
  return { acknowledged: 0, lost: 0, doubt: 0, doubtDone: 0, refused: 0, conflicts: 0, reads: 0 };
}
