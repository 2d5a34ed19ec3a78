import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

// A package of a later layer: it is run, not imported.
const SCRIPT = fileURLToPath(new URL("../../cluster/torture/main.mjs", import.meta.url));

/**
 * The proof of the cluster, in a process of its own: simulation, explorer, and real processes over a real etcd.
 * @param {{ seconds: number, order: number }} options
 * @param {AbortSignal} signal
 * @returns {Promise<{ figures: string[][], violations: string[], skipped: string[] }>}
 * @throws Error where it came to no end
 */
export function checkCluster({ seconds, order }, signal) {
  if (!existsSync(SCRIPT)) throw new Error(`${SCRIPT} is not there`);
  const args = [SCRIPT, "--json", "--seconds", `${seconds}`, "--order", `${order}`];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], signal });
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
        reject(
          new Error(`the proof of the cluster ended with ${code}: ${errors || output || "it said nothing"}`),
        );
      }
    });
  });
}
