import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import type { Engine } from "@kaya/engine";
import type { Command } from "commander";
import { type Candidate, candidatesAt } from "../completion/candidates.js";
import { readBashLine } from "../completion/for-shell.js";
import { keysBelow } from "../completion/keys.js";
import { escapeText } from "../terminal/text.js";

/** Someone waits at the prompt. */
const MOST_MS = 600;

/** For node:readline: what may stand in the place of the end of the line, and that end. */
export type LineCompletion = [replies: string[], piece: string];

/** Completes a line of the shell. An error completes nothing. */
export async function completeLine(
  program: Command,
  engine: Engine | undefined,
  line: string,
): Promise<LineCompletion> {
  // The line of a shell is a command line without the program's name.
  const { words, current, piece, quote, toReply } = readBashLine(`kayactl ${line}`, "");
  const started = performance.now();
  const isOver = () => performance.now() - started > MOST_MS;
  const keysWith = async (prefix: string) => (engine === undefined ? [] : keysBelow(engine, prefix, isOver));
  const found = await candidatesAt(program, { words, current }, keysWith).catch(() => []);
  const candidates = typeof found === "string" ? await pathsAt(current, found === "directories") : found;
  const replies = candidates.flatMap((candidate) => {
    const reply = toReply(candidate.value);
    return reply === undefined ? [] : [{ reply, isPart: candidate.isPart === true }];
  });
  const [only] = replies;
  if (replies.length === 1 && only !== undefined && !only.isPart)
    return [[`${only.reply}${quote ?? ""} `], piece];
  return [replies.map(({ reply }) => reply), piece];
}

async function pathsAt(current: string, directoriesOnly: boolean): Promise<Candidate[]> {
  const slash = current.lastIndexOf("/") + 1;
  const [before, begun] = [current.slice(0, slash), current.slice(slash)];
  const directory = before.startsWith("~/") ? homedir() + before.slice(1) : before || ".";
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries
    .filter(({ name }) => name.startsWith(begun) && (begun !== "" || !name.startsWith(".")))
    .filter(({ name }) => escapeText(name) === name)
    .filter((entry) => !directoriesOnly || entry.isDirectory())
    .map((entry) => {
      const value = before + entry.name;
      return entry.isDirectory() ? { value: `${value}/`, isPart: true } : { value };
    });
}
