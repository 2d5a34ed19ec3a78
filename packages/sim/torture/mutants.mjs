import { fileURLToPath } from "node:url";
import { jsonOf } from "./json-of.mjs";

const SCRIPT = fileURLToPath(new URL("../mutants/main.mjs", import.meta.url));

/**
 * @typedef {{ name: string, rule: string, foundBy: string, cost: string, ms: number, outcome?: string, message?: string }} MutantResult
 * @typedef {{ mutants: MutantResult[], survivors: MutantResult[] }} MutantFigures
 */

/**
 * The mutation check, in a process of its own; without its control, the code as it is, which everything else here looks at more closely.
 * @param {{ mutants: number, order: number }} options how many bugs are looked for, and which
 * @param {AbortSignal} signal
 * @returns {Promise<MutantFigures>}
 * @throws Error where it came to no end
 */
export function checkMutants({ mutants, order }, signal) {
  const drawn = ["--most", `${mutants}`, "--order", `${order}`];
  return jsonOf("the mutation check", [SCRIPT, "--json", "--no-control", ...drawn], signal);
}
