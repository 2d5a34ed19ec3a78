import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("./writer.mjs", import.meta.url));
const PATIENCE_MS = 60_000;

/**
 * @typedef {object} WriterOptions
 * @property {string} dataDir
 * @property {number} generation
 * @property {number} lanes writes in flight
 * @property {Partial<import("@kaya/core").WalConfig>} wal
 */

/**
 * What the writer says of a write.
 * @typedef {{ number: number, lsn: number, durable: boolean, at: bigint }} Acknowledged
 * @typedef {{ number: number, code: string }} Rejected
 * @typedef {{ name: string, [field: string]: any }} Note
 */

/** A process that runs writer.mjs, or another script that says the same things. */
export class WriterProcess {
  /** @type {Acknowledged[]} */
  acknowledged = [];
  /** @type {Rejected[]} */
  rejected = [];
  /** The last LSN that it found when it opened; undefined before. @type {number | undefined} */
  openedAt;
  /** Its disk is full, and it has one write in flight from now on. */
  isFull = false;
  /** Why it could not open. @type {string | undefined} */
  refusal;
  /** What it noticed beside its writes, in order. @type {Note[]} */
  notes = [];
  /** How its engine closed. @type {string | undefined} */
  closed;
  /** @type {number | null | undefined} */
  exitCode;
  #child;
  #rest = "";
  #errors = "";
  #onNews = () => {};
  #end;

  /**
   * @param {WriterOptions & Record<string, unknown>} options what the script wants to know
   * @param {string} script
   */
  constructor(options, script = SCRIPT) {
    this.#child = spawn(process.execPath, [script, JSON.stringify(options)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout.setEncoding("utf8").on("data", (text) => this.#hear(text));
    this.#child.stderr.setEncoding("utf8").on("data", (text) => {
      this.#errors += text;
    });
    this.#end = new Promise((resolve) => {
      this.#child.on("close", (code) => {
        this.exitCode = code;
        this.#onNews();
        resolve(undefined);
      });
    });
  }

  /** Everything that it wrote to standard error: nothing, if all is well. */
  get errors() {
    return this.#errors;
  }

  /**
   * Waits until this holds.
   * @param {() => boolean} condition
   */
  async until(condition) {
    const deadline = setTimeout(() => this.#onNews(), PATIENCE_MS);
    const started = performance.now();
    try {
      while (!condition()) {
        if (this.exitCode !== undefined) throw new Error(`the writer ended by itself: ${this.#describe()}`);
        if (performance.now() - started >= PATIENCE_MS)
          throw new Error(`the writer hangs: ${this.#describe()}`);
        await new Promise((resolve) => {
          this.#onNews = () => resolve(undefined);
        });
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  /** SIGKILL. Afterwards everything that it said is known. */
  async kill() {
    this.#child.kill("SIGKILL");
    await this.#end;
  }

  /** @param {string} text */
  #hear(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? ""; // the kill may have cut it
    for (const line of lines) this.#take(line);
    this.#onNews();
  }

  /** @param {string} line */
  #take(line) {
    const [word, first = "", second = "", third, fourth = "0"] = line.split(" ");
    if (word === "ok") {
      const [number, lsn] = [Number(first), Number(second)];
      this.acknowledged.push({ number, lsn, durable: third === "durable", at: BigInt(fourth) });
    } else if (word === "no") this.rejected.push({ number: Number(first), code: second });
    else if (word === "open") this.openedAt = Number(first);
    else if (word === "note") this.notes.push(JSON.parse(line.slice("note ".length)));
    else if (word === "full") this.isFull = true;
    else if (word === "refused") this.refusal = first;
    else if (word === "closed") this.closed = line.slice("closed ".length);
    else throw new Error(`the writer says ${JSON.stringify(line)}`);
  }

  #describe() {
    const { acknowledged, rejected, exitCode, refusal } = this;
    const last = rejected.at(-1)?.code ?? refusal ?? "none";
    return `${acknowledged.length} acknowledged, last rejection ${last}, exit ${exitCode}, ${this.#errors || "no stderr"}`;
  }
}
