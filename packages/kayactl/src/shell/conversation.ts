import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import { clip, escapeText } from "../terminal/text.js";
import { CommandReader } from "./command-reader.js";
import { completeLine } from "./complete-line.js";
import { History, historyFile, MOST_ENTRIES } from "./history.js";
import type { Shell } from "./shell.js";

const MOST_PROMPT_COLUMNS = 40;

/**
 * A shell at a terminal: a prompt, a history, and completion. It ends with Ctrl-D or `exit`.
 * @param program the commands, for completion
 */
export async function converse(shell: Shell, program: Command): Promise<void> {
  const history = await openHistory(shell);
  const { stdin = process.stdin, stdout, signal } = shell.context.io;
  const readline = createInterface({
    input: stdin,
    output: stdout,
    terminal: true,
    history: [...history.entries],
    historySize: MOST_ENTRIES,
    completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
      void completeLine(program, shell.session.engine, line).then((result) => done(null, result));
    },
  });
  const stop = () => readline.close();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await new Conversation(shell, readline, history).run();
  } finally {
    signal?.removeEventListener("abort", stop);
    readline.close();
  }
}

/** A history that cannot be kept does not end a shell. */
async function openHistory(shell: Shell): Promise<History> {
  return History.open(historyFile()).catch(async (error: Error) => {
    await noteHistory(shell, error);
    return History.inMemory();
  });
}

async function noteHistory({ context: { err } }: Shell, error: Error): Promise<void> {
  await err.line(`note: the history cannot be kept: ${escapeText(error.message)}`);
  await err.flush();
}

class Conversation {
  readonly #shell: Shell;
  readonly #readline: Interface;
  readonly #history: History;
  readonly #reader = new CommandReader();
  /** Lines that were typed while a command ran. */
  readonly #typed: string[] = [];
  #running: AbortController | undefined;
  #isClosed = false;
  #onInput: () => void = () => undefined;

  constructor(shell: Shell, readline: Interface, history: History) {
    this.#shell = shell;
    this.#readline = readline;
    this.#history = history;
  }

  async run(): Promise<void> {
    this.#readline.on("line", (line) => {
      this.#typed.push(line);
      this.#onInput();
    });
    this.#readline.on("close", () => {
      this.#isClosed = true;
      this.#onInput();
    });
    this.#readline.on("SIGINT", () => this.#interrupt());
    // What is kept is a command, which may have several lines, and not each line.
    this.#readline.on("history", (lines) => lines.splice(0, lines.length, ...this.#history.entries));
    while (!this.#shell.isLeft) {
      const line = await this.#next();
      if (line === undefined) break;
      await this.#take(line);
    }
    if (!this.#shell.isLeft) this.#shell.context.io.stdout.write("\n");
  }

  /** Undefined where the input has ended. */
  async #next(): Promise<string | undefined> {
    if (this.#typed.length === 0 && !this.#isClosed) this.#prompt();
    while (this.#typed.length === 0 && !this.#isClosed)
      await new Promise<void>((resolve) => {
        this.#onInput = resolve;
      });
    return this.#typed.shift();
  }

  async #take(line: string): Promise<void> {
    const command = this.#reader.add(line);
    if (command === undefined || command.words.length === 0) return;
    await this.#history.add(command).catch((error: Error) => noteHistory(this.#shell, error));
    this.#running = new AbortController();
    try {
      await this.#shell.execute(command.words, this.#running.signal);
    } finally {
      this.#running = undefined;
    }
  }

  /** Ends the running command, or else the line. */
  #interrupt(): void {
    const { stdout } = this.#shell.context.io;
    if (this.#running !== undefined) {
      stdout.write("^C\n");
      this.#running.abort();
      return;
    }
    this.#reader.clear();
    this.#readline.write(null, { ctrl: true, name: "e" });
    this.#readline.write(null, { ctrl: true, name: "u" });
    stdout.write("^C\n");
    this.#prompt();
  }

  #prompt(): void {
    const { context, session } = this.#shell;
    const name = clip(escapeText(context.options.data), MOST_PROMPT_COLUMNS);
    const mode = session.isReadOnly ? "read-only" : "read-write";
    const prompt = this.#reader.isOpen ? "... " : `${context.out.colors.bold(name)} (${mode})> `;
    this.#readline.setPrompt(prompt);
    this.#readline.prompt();
  }
}
