import { Readable } from "node:stream";
import type { Command } from "commander";
import { invalid } from "../bytes.js";
import { type Context, ExitCode, type Io, type Surroundings } from "../context.js";
import type { ShellSession } from "./session.js";

/** Carries out the commands of a shell, one after the other. */
export class Shell {
  readonly context: Context;
  readonly session: ShellSession;
  #isLeft = false;

  constructor(context: Context, session: ShellSession) {
    this.context = context;
    this.session = session;
  }

  /** Whether `exit` was given. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  /** The exit code of the command. */
  execute(words: readonly string[], signal: AbortSignal | undefined): Promise<number> {
    const { stdout, stderr } = this.context.io;
    const io: Io = { stdin: noInput(), stdout, stderr, ...(signal && { signal }) };
    return this.context.run(words, io, this.#surroundings());
  }

  #surroundings(): Surroundings {
    return {
      session: this.session,
      defaults: this.context.options,
      extend: (program) => this.extend(program),
    };
  }

  /** Adds what only a shell has. */
  extend(program: Command): void {
    program
      .command("exit")
      .alias("quit")
      .summary("leave the shell")
      .description("Leave the shell. Ctrl-D does the same.")
      .action(() => {
        this.#isLeft = true;
      });
  }
}

/** What a command gets that reads standard input: that is where the shell's own commands come from. */
function noInput(): Readable {
  return new Readable({
    read() {
      this.destroy(
        invalid("a command in a shell cannot read standard input: give a value or a file in its line"),
      );
    },
  });
}

/** Commands from a pipe. The first that fails ends it, with its exit code. */
export async function runLines(
  shell: Shell,
  lines: AsyncIterable<ShellLine>,
  keepGoing: boolean,
): Promise<number> {
  const { err, io } = shell.context;
  let exitCode: number = ExitCode.Ok;
  for await (const { words, number } of lines) {
    if (words.length === 0) continue;
    const code = await shell.execute(words, io.signal);
    if (code !== ExitCode.Ok) {
      if (exitCode === ExitCode.Ok) exitCode = code;
      await err.line(`note: line ${number} ended with exit code ${code}`);
      await err.flush();
    }
    if (shell.isLeft || code === ExitCode.Interrupted || (code !== ExitCode.Ok && !keepGoing)) break;
  }
  return exitCode;
}

/** The words of a command, and the number of its last line. */
export interface ShellLine {
  readonly words: readonly string[];
  readonly number: number;
}
