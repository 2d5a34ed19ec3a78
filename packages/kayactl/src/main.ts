import { setImmediate as nextTurn } from "node:timers/promises";
import { type Command, CommanderError } from "commander";
import { answer, COMPLETE } from "./completion/answer.js";
import { type Context, type Execute, ExitCode, type Io, type Run, type Surroundings } from "./context.js";
import { exitCodeOf, printError, usageError } from "./errors.js";
import { createProgram } from "./program.js";
import { Interrupted, Output, OutputClosed } from "./terminal/output.js";

/**
 * Runs a command line and resolves to its exit code. It never throws and never ends the process.
 *
 * @param argv the arguments, without the program's name
 * @param io the streams to use
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  if (argv[0] === COMPLETE) return answer(argv.slice(1), io);
  return runCommand(argv, io);
}

const runCommand: Run = async (argv, io, surroundings) => {
  const out = new Output(io.stdout, io.signal);
  const err = new Output(io.stderr);
  if (surroundings?.defaults.color === false) for (const output of [out, err]) output.disableColors();
  // What a write fails with comes to its callback; without a listener the event would end the process.
  const ignore = () => undefined;
  io.stdout.on("error", ignore);
  io.stderr.on("error", ignore);
  try {
    return await runProgram(argv, { io, out, err, run: runCommand }, surroundings);
  } finally {
    await err.flush().catch(ignore);
    await nextTurn(); // a failed write's event comes after its callback
    io.stdout.off("error", ignore);
    io.stderr.off("error", ignore);
  }
};

type Streams = Omit<Context, "options" | "session">;

async function runProgram(
  argv: readonly string[],
  streams: Streams,
  surroundings: Surroundings | undefined,
): Promise<number> {
  const { out } = streams;
  const given = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : undefined);
  const isJson = given.includes("--json") || surroundings?.defaults.json === true;
  try {
    const exitCode = await parse(argv, streams, surroundings);
    await out.flush();
    return exitCode;
  } catch (error) {
    if (streams.io.signal?.aborted || error instanceof Interrupted) return ExitCode.Interrupted;
    if (error instanceof OutputClosed) return ExitCode.Ok;
    await out.flush().catch(() => undefined); // what was found before the error
    await printError(streams.err, error, isJson).catch(() => undefined);
    return exitCodeOf(error);
  }
}

async function parse(
  argv: readonly string[],
  streams: Streams,
  surroundings: Surroundings | undefined,
): Promise<number> {
  let exitCode: number = ExitCode.Ok;
  const help: string[] = [];
  const execute: Execute = async (options, action) => {
    exitCode = await action({ ...streams, options, ...(surroundings && { session: surroundings.session }) });
  };
  const program = createProgram(execute, streams.out, (text) => help.push(text));
  surroundings?.extend(program);
  for (const [name, value] of Object.entries(surroundings?.defaults ?? {}))
    program.setOptionValueWithSource(name, value, "config");
  program.on("option:no-color", () => {
    streams.out.disableColors();
    streams.err.disableColors();
  });
  let command = program;
  onDispatch(program, (inner) => {
    command = inner;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, command, surroundings !== undefined);
  }
  await streams.out.write(help.join(""));
  return exitCode;
}

/** Calls `note` with each command that is found in the arguments, from the outermost on. */
function onDispatch(command: Command, note: (inner: Command) => void): void {
  if (command.commands.length === 0) return;
  command.hook("preSubcommand", (_, inner) => note(inner));
  for (const inner of command.commands) onDispatch(inner, note);
}

/** `run` for a process of its own. */
export async function main(): Promise<void> {
  const interruption = new AbortController();
  // Once to end in order, twice to end at once: no acknowledged write is lost either way.
  process.on("SIGINT", () => {
    if (interruption.signal.aborted) process.exit(ExitCode.Interrupted);
    interruption.abort();
  });
  const { stdin, stdout, stderr } = process;
  const exitCode = await run(process.argv.slice(2), { stdin, stdout, stderr, signal: interruption.signal });
  // An interrupted run may leave a reader waiting, or a writer that nobody reads; a completion that took too long, an opening.
  if (exitCode === ExitCode.Interrupted || process.argv[2] === COMPLETE) process.exit(exitCode);
  process.exitCode = exitCode;
}
