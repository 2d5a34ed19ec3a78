import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../mutants/main.mjs", import.meta.url));

/**
 * @typedef {{ name: string, rule: string, foundBy: string, cost: string, ms: number, outcome?: string, message?: string }} MutantResult
 * @typedef {{ mutants: MutantResult[], survivors: MutantResult[] }} MutantFigures
 */

/**
 * The mutation check, in a process of its own; without its control, the code as it is, which everything else here looks at more closely.
 * @param {AbortSignal} signal
 * @returns {Promise<MutantFigures>}
 * @throws Error where it came to no end
 */
export function checkMutants(signal) {
  const child = spawn(process.execPath, [SCRIPT, "--json", "--no-control"], {
    stdio: ["ignore", "pipe", "pipe"],
    signal,
  });
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    errors += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      try {
        resolve(JSON.parse(output));
      } catch {
        reject(new Error(`the mutation check ended with ${code}: ${errors || output || "it said nothing"}`));
      }
    });
  });
}
