import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Engine } from "@kaya/engine";
import type { Command } from "commander";
import { ExitCode, type Io } from "../context.js";
import { createProgram } from "../program.js";
import { Output } from "../terminal/output.js";
import { type Candidate, candidatesAt, globalValue, type Placed, type TypedWords } from "./candidates.js";
import { describedLine, readBashLine } from "./for-shell.js";
import { type KeySource, keysBelow } from "./keys.js";
import { isShell, type Shell } from "./scripts.js";
import { splitLine } from "./split-line.js";

/** The first word of a command line that asks for completions. It is for scripts: help does not list it. */
export const COMPLETE = "__complete";

/** Someone waits at the prompt: what takes longer is not worth it. */
const MOST_MS = 600;

/**
 * Answers the completion script of a shell: a line that says what follows, then candidates. Errors give no answer.
 * @param argv the shell's name; then for bash the line as far as the cursor and COMP_WORDBREAKS, for the others the words
 */
export async function answer(argv: readonly string[], { stdout }: Io): Promise<number> {
  const [shell, ...typed] = argv;
  if (!isShell(shell)) return ExitCode.Usage;
  const out = new Output(stdout);
  const lines = await linesFor(shell, typed).catch(() => []);
  for (const line of lines) await out.line(line);
  await out.flush();
  return ExitCode.Ok;
}

async function linesFor(shell: Shell, typed: readonly string[]): Promise<string[]> {
  const program = createProgram(
    async () => undefined,
    new Output(process.stderr),
    () => undefined,
  );
  if (shell === "bash") {
    const [line = "", breaks = ""] = typed;
    const bash = readBashLine(line, breaks);
    return replies(await placed(program, bash), ({ value }) => bash.toReply(value));
  }
  const current = typed.at(-1) ?? "";
  // fish gives its word as it was typed.
  const text = shell === "fish" ? (splitLine(current).words[0]?.text ?? "") : current;
  return replies(await placed(program, { words: typed.slice(1, -1), current: text }), describedLine);
}

function replies(found: Placed, toLine: (candidate: Candidate) => string | undefined): string[] {
  if (typeof found === "string") return [found];
  const isPart = found.some((candidate) => candidate.isPart === true);
  return [isPart ? "parts" : "values", ...found.flatMap((candidate) => toLine(candidate) ?? [])];
}

async function placed(program: Command, { words, current }: TypedWords): Promise<Placed> {
  const dataDir = expandHome(globalValue(words, "--data") ?? "./data");
  return candidatesAt(program, { words, current }, (prefix) => keysIn(dataDir, prefix));
}

/** Reads without a lock and changes nothing. An empty list where that takes too long. */
async function keysIn(dataDir: string, prefix: string): Promise<readonly Candidate[]> {
  const started = performance.now();
  const isOver = () => performance.now() - started > MOST_MS;
  const reading = readKeys(dataDir, prefix, isOver);
  return Promise.race([reading, sleep(MOST_MS, [], { ref: false })]);
}

async function readKeys(dataDir: string, prefix: string, isOver: () => boolean): Promise<Candidate[]> {
  const onProgress = () => {
    if (isOver()) throw new Error("the log takes too long to read");
  };
  const engine = await Engine.open({ dataDir, readOnly: true }, undefined, { onProgress });
  try {
    return await keysBelow(engine as KeySource, prefix, isOver);
  } finally {
    await engine.close();
  }
}

/** As a shell does before it runs the command; what else it would expand is not known here. */
function expandHome(path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}
