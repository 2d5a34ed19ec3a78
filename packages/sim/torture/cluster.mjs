import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { jsonOf } from "./json-of.mjs";

// The script belongs to a later layer, so it is run and not imported.
const SCRIPT = fileURLToPath(new URL("../../cluster/torture/main.mjs", import.meta.url));

/**
 * Checks the cluster in a process of its own: simulation, explorer, and real processes over a real etcd.
 * @param {{ seconds: number, order: number }} options
 * @param {AbortSignal} signal
 * @returns {Promise<{ figures: string[][], violations: string[], skipped: string[] }>}
 * @throws Error if the script does not end normally
 */
export function checkCluster({ seconds, order }, signal) {
  if (!existsSync(SCRIPT)) throw new Error(`${SCRIPT} does not exist`);
  const args = [SCRIPT, "--json", "--seconds", `${seconds}`, "--order", `${order}`];
  return jsonOf("the check of the cluster", args, signal);
}
