import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ChildOrder, ChildReport } from "./cluster-child.js";

const CHILD = fileURLToPath(new URL("./cluster-child.js", import.meta.url));

/** A process with a node of its own. */
export class ClusterChild {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(order: ChildOrder) {
    this.#child = fork(CHILD, [JSON.stringify(order)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#ended = new Promise((resolve) => this.#child.once("exit", () => resolve()));
  }

  /** Waits for the next report of a type. @throws Error if the process ends first */
  report<T extends ChildReport["type"]>(type: T): Promise<Extract<ChildReport, { type: T }>> {
    return new Promise((resolve, reject) => {
      const onMessage = (report: ChildReport) => {
        if (report.type !== type) return;
        this.#child.off("message", onMessage);
        resolve(report as Extract<ChildReport, { type: T }>);
      };
      this.#child.on("message", onMessage);
      this.#child.once("exit", (code, signal) => reject(new Error(`a node ended: ${signal ?? code}`)));
      this.#child.once("error", reject);
    });
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  ended(): Promise<void> {
    return this.#ended;
  }
}
