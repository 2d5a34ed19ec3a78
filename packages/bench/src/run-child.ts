import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Message, Order } from "./child.js";

const CHILD = fileURLToPath(new URL("child.js", import.meta.url));
const MOST_STDERR = 4000;

export interface Outcome {
  readonly figures: readonly { readonly row: string; readonly value: number }[];
  /** Why it has none, or not all. */
  readonly error?: string;
  /** The peer is not installed: nothing went wrong. */
  readonly isMissing: boolean;
}

/** Carries out an order in a process of its own, with a heap and caches of its own. */
export function runChild(order: Order, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = fork(CHILD, [JSON.stringify(order)], {
      execArgv: ["--expose-gc"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      signal,
      killSignal: "SIGKILL",
    });
    const figures: { row: string; value: number }[] = [];
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
