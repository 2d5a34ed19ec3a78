import { createInterface } from "node:readline";
import { KayaError } from "@kaya/core";
import type { Command } from "commander";
import { invalid } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { CommandReader } from "../shell/command-reader.js";
import { converse } from "../shell/conversation.js";
import { ShellSession } from "../shell/session.js";
import { runLines, Shell, type ShellLine } from "../shell/shell.js";
import { escapeText } from "../terminal/text.js";
import { untilInterrupted } from "../terminal/until-interrupted.js";

interface ShellOptions {
  readonly readOnly?: boolean;
  readonly keepGoing?: boolean;
}

export const registerShell: Register = (program, execute) => {
  program
    .command("shell")
    .summary("open the data directory once, and take commands")
    .description(
      'Open the data directory and take commands such as put, get and scan, without "kayactl" before them. A write is on stable ' +
        "storage when it is acknowledged, unless --durability relaxed says otherwise.",
    )
    .option("--read-only", "only look; another process may have the directory open and write")
    .option("--keep-going", "with commands from a pipe: go on after one that fails")
    .addHelpText(
      "after",
      `
A JSON value needs no quotes and may have several lines: put user:1 {"name": "Ada"}. Other values with spaces
need quotes, as in sh. Tab completes commands and keys. Ctrl-C ends the line or the running command, Ctrl-D the
shell. A command that begins with a space is not kept in the history, a file in ~/.local/state/kayactl.

From a pipe each line is a command. The first that fails ends the shell with its exit code.

Examples:
  kayactl shell --data /var/lib/app
  kayactl shell --read-only
  printf 'put a 1\\nput b 2\\n' | kayactl shell`,
    )
    .action((options: ShellOptions, command) =>
      execute(command.optsWithGlobals(), (context) => start(context, program, options)),
    );
};

async function start(
  context: Context,
  program: Command,
  { readOnly = false, keepGoing = false }: ShellOptions,
): Promise<number> {
  const { io, out, session: outer } = context;
  if (outer !== undefined) throw invalid("this is a shell already");
  const { stdin = process.stdin } = io;
  const isTerminal = stdin.isTTY === true && out.isTty;
  const session = new ShellSession(context.options, readOnly, isTerminal ? io.stdout : undefined);
  try {
    await openNow(context, session, isTerminal);
    const shell = new Shell(context, session);
    if (!isTerminal) return await runLines(shell, untilInterrupted(linesOf(stdin), io.signal), keepGoing);
    shell.extend(program);
    await converse(shell, program);
    return io.signal?.aborted ? ExitCode.Interrupted : ExitCode.Ok;
  } finally {
    await session.close();
  }
}

/** A directory that is not there is made by the first put, as outside of a shell. */
async function openNow(context: Context, session: ShellSession, isTerminal: boolean): Promise<void> {
  try {
    await session.engineFor(context, { readOnly: session.isReadOnly });
  } catch (error) {
    if (session.isReadOnly || !KayaError.is(error, "KAYA_NOT_FOUND")) throw error;
    if (isTerminal) await context.err.line(`note: ${escapeText(error.message)}`);
  }
  if (isTerminal) await context.err.line('"help" lists the commands, Ctrl-D leaves.');
  await context.err.flush();
}

async function* linesOf(stdin: NodeJS.ReadableStream): AsyncGenerator<ShellLine, void> {
  const reader = new CommandReader();
  let number = 0;
  let begunIn = 0;
  const readline = createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const line of readline) {
      number++;
      if (!reader.isOpen) begunIn = number;
      const command = reader.add(line);
      if (command !== undefined) yield { words: command.words, number };
    }
  } finally {
    readline.close(); // after `exit` a pipe that stays open must not keep the process
  }
  if (reader.isOpen)
    throw invalid(
      `the input ends inside the command that begins in line ${begunIn}: a quote or a bracket in it is not closed`,
    );
}
