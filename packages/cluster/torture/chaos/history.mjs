import { readFileSync } from "node:fs";

/** @typedef {import("../../dist/testing/index.js").HistoryOperation & { lsn?: number, code?: string }} Recorded */

/**
 * Reads the record of the clients of one node. A call without an answer has an unknown outcome. The last line may be incomplete.
 * @param {string} path
 * @returns {Recorded[]}
 */
export function readHistory(path) {
  /** @type {Map<string, any>} */
  const calls = new Map();
  for (const line of readFileSync(path, "utf8").split("\n")) {
    let entry;
    try {
      entry = JSON.parse(line);
    } catch {
      continue; // the process was killed while it wrote this line
    }
    const call = calls.get(entry.id);
    if (call === undefined) {
      const { at, process, name, expects, writes } = entry;
      calls.set(entry.id, {
        process,
        name,
        invoked: at,
        returned: at,
        outcome: "unknown",
        expects: values(expects),
        writes: values(writes),
      });
    } else {
      call.returned = entry.at;
      call.outcome = entry.outcome;
      if (entry.expects !== undefined) call.expects = values(entry.expects);
      if (entry.lsn !== undefined) Object.assign(call, { lsn: entry.lsn, hint: entry.lsn });
      if (entry.code !== undefined) call.code = entry.code;
    }
  }
  return [...calls.values()];
}

/** Restores undefined values, which JSON cannot represent. @param {{ key: string, value?: string }[]} pairs */
function values(pairs) {
  return pairs.map(({ key, value }) => ({ key, value }));
}
