import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const WRITER = fileURLToPath(new URL("./writer.js", import.meta.url));

/**
 * Runs the writer until it has acknowledged at least `enough` writes, then kills it at once with SIGKILL. Gives every
 * write whose acknowledgement arrived.
 */
export async function writeUntilKilled(dataDir: string, enough: number): Promise<number[]> {
  const child = spawn(process.execPath, [WRITER, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<NodeJS.Signals | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (_code, signal) => resolve(signal));
  });
  const acknowledged: number[] = [];
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    // A line that the kill cut in half is no acknowledgement that anyone could have read.
    if (!/^\d+$/.test(line)) continue;
    acknowledged.push(Number(line));
    if (acknowledged.length % 2_000 === 0) console.log(`  ${acknowledged.length} acknowledged`);
    if (acknowledged.length === enough) child.kill("SIGKILL");
  }
  const signal = await ended;
  if (signal !== "SIGKILL") throw new Error("the writer ended before it was killed");
  return acknowledged;
}
