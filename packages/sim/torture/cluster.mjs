import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { jsonOf } from "./json-of.mjs";

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
  return jsonOf("the proof of the cluster", args, signal);
}
