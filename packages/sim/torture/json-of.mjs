import { spawn } from "node:child_process";

/**
 * Runs a script in a process of its own.
 * @param {string} name of the run, for the error
 * @param {readonly string[]} args the script and its arguments
 * @param {AbortSignal} signal ends the process
 * @returns {Promise<any>} the JSON that it printed
 * @throws Error if it printed none
 */
export function jsonOf(name, args, signal) {
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
        reject(new Error(`${name} ended with ${code}: ${errors || output || "it said nothing"}`));
      }
    });
  });
}
