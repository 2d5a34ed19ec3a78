import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Message, Order } from "./child.js";
import type { Usage } from "./usage.js";

const CHILD = fileURLToPath(new URL("child.js", import.meta.url));
const MOST_STDERR = 4000;

export interface Outcome {
  readonly figures: readonly { readonly row: string; readonly value: number; readonly usage?: Usage }[];
  /** Why figures are missing. */
  readonly error?: string;
  /** The peer is not installed: nothing went wrong. */
  readonly isMissing: boolean;
}

/** How to start a process. */
export interface Launch {
  /** The `cgroup.procs` of a group that the process is in from its first instruction. */
  readonly processesFile?: string;
  /** The directory for the CPU profiles of the child's threads. */
  readonly profileDir?: string;
}

/** Runs a job in its own process, with its own heap and caches. */
export function runChild(order: Order, signal: AbortSignal, launch: Launch = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = start(order, signal, launch);
    const figures: Outcome["figures"][number][] = [];
    let error: string | undefined;
    let isMissing = false;
    let stderr = "";
    child.stderr?.on("data", (chunk) => {
      stderr = `${stderr}${chunk}`.slice(-MOST_STDERR);
    });
    child.on("message", (message: Message) => {
      if ("error" in message) ({ error, isMissing } = message);
      else figures.push(message);
    });
    child.on("error", (cause) => {
      error ??= cause.message;
    });
    child.on("close", (code, signalName) => {
      if (code !== 0) error ??= `ended with ${signalName ?? `exit code ${code}`}: ${stderr.trim()}`;
      resolve({ figures, isMissing, ...(error !== undefined && { error }) });
    });
  });
}

function start(order: Order, signal: AbortSignal, { processesFile, profileDir }: Launch): ChildProcess {
  const profile = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
  const node = [process.execPath, "--expose-gc", ...profile, CHILD, JSON.stringify(order)];
  const options: SpawnOptions = {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    signal,
    killSignal: "SIGKILL",
  };
  if (processesFile === undefined) return spawn(node[0] as string, node.slice(1), options);
  // It enters the group first: memory that it allocates before stays charged to its old group.
  const enter = 'echo $$ > "$0" && exec "$@"';
  return spawn("/bin/sh", ["-c", enter, processesFile, ...node], options);
}
