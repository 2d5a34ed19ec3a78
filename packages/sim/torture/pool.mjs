import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const WORKER = fileURLToPath(new URL("./worker.mjs", import.meta.url));

/**
 * Child processes that do jobs, each one after the other.
 */
export class Pool {
  #onProgress;
  /** @type {import("node:child_process").ChildProcess[]} */
  #workers = [];
  #isStopped = false;

  /** @param {(job: import("./worker.mjs").Job, soFar: any) => void} onProgress how far a job is that tells */
  constructor(onProgress) {
    this.#onProgress = onProgress;
  }

  /**
   * Takes jobs until there are none, `processes` at a time. What is under way when it is stopped is dropped.
   * @param {number} processes
   * @param {() => import("./worker.mjs").Job | undefined} nextJob
   * @param {(job: import("./worker.mjs").Job, answer: { result?: any, error?: string }) => void} onAnswer
   */
  async run(processes, nextJob, onAnswer) {
    await Promise.all(Array.from({ length: processes }, () => this.#serve(nextJob, onAnswer)));
  }

  stop() {
    this.#isStopped = true;
    for (const worker of this.#workers) worker.kill("SIGKILL");
  }

  /**
   * @param {() => import("./worker.mjs").Job | undefined} nextJob
   * @param {(job: import("./worker.mjs").Job, answer: { result?: any, error?: string }) => void} onAnswer
   */
  async #serve(nextJob, onAnswer) {
    const worker = fork(WORKER);
    this.#workers.push(worker);
    for (let job = nextJob(); job !== undefined && !this.#isStopped; job = nextJob()) {
      const answer = await this.#ask(worker, job);
      if (this.#isStopped) return;
      onAnswer(job, answer);
      if (!worker.connected) return; // it died, and the answer says so
    }
    if (worker.connected) worker.disconnect();
  }

  /**
   * @param {import("node:child_process").ChildProcess} worker
   * @param {import("./worker.mjs").Job} job
   * @returns {Promise<{ result?: any, error?: string }>}
   */
  #ask(worker, job) {
    return new Promise((resolve) => {
      const settle = (/** @type {{ result?: any, error?: string }} */ answer) => {
        worker.off("message", onMessage);
        worker.off("exit", onExit);
        resolve(answer);
      };
      const onMessage = (/** @type {any} */ message) => {
        if ("soFar" in message) this.#onProgress(job, message.soFar);
        else settle(message);
      };
      const onExit = (/** @type {number | null} */ code, /** @type {string | null} */ signal) => {
        settle({ error: `the process ended with ${signal ?? code}` });
      };
      worker.on("message", onMessage);
      worker.on("exit", onExit);
      worker.send(job);
    });
  }
}
