import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("./writer.mjs", import.meta.url));

export interface Acknowledged {
  readonly name: string;
  readonly number: number;
}

interface WriterOptions {
  readonly dataDir: string;
  /** Of the keys and values that it writes. */
  readonly name: string;
  readonly segmentMaxBytes: number;
  readonly valueBytes: number;
}

/** A process that writes to a data directory until it is killed (writer.mjs). */
export class WriterProcess {
  readonly #child: ChildProcess;
  readonly #name: string;
  #output = "";
  #errors = "";
  #onOutput: () => void = () => undefined;
  readonly #closed: Promise<unknown>;
  #isClosed = false;

  constructor({ dataDir, name, segmentMaxBytes, valueBytes }: WriterOptions) {
    this.#name = name;
    this.#child = spawn(process.execPath, [SCRIPT, dataDir, name, `${segmentMaxBytes}`, `${valueBytes}`]);
    this.#child.stdout?.on("data", (chunk) => {
      this.#output += chunk;
      this.#onOutput();
    });
    this.#child.stderr?.on("data", (chunk) => {
      this.#errors += chunk;
    });
    this.#closed = once(this.#child, "close").then(() => {
      this.#isClosed = true;
      this.#onOutput();
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whole lines only: the kill may have cut the last one. */
  get lines(): readonly string[] {
    return this.#output.split("\n").slice(0, -1);
  }

  /** Waits until what it has said satisfies the condition. */
  async until(condition: (lines: readonly string[]) => boolean): Promise<void> {
    while (!condition(this.lines)) {
      if (this.#isClosed) throw new Error(`the writer ended: ${this.#errors}`);
      await new Promise<void>((resolve) => {
        this.#onOutput = resolve;
      });
    }
  }

  /** SIGKILL; gives what was acknowledged before it took effect. */
  async kill(): Promise<Acknowledged[]> {
    this.#child.kill("SIGKILL");
    await this.#closed;
    return this.lines.flatMap((line) => {
      const [, number] = /^(\d+) (?:strict|relaxed) \d+$/.exec(line) ?? [];
      return number === undefined ? [] : [{ name: this.#name, number: Number(number) }];
    });
  }
}

/** The keys that it writes for one number, as in writer.mjs. */
export function keysOfWrite({ name, number }: Acknowledged): string[] {
  return number % 5 === 0 ? ["a", "b"].map((half) => `${name}-${number}-${half}`) : [`${name}-${number}`];
}
