import { appendFile, chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import type { ShellCommand } from "./command-reader.js";

export const MOST_ENTRIES = 1000;
const MOST_CHARACTERS = 4096;

/** Below XDG_STATE_HOME. A relative one does not count, as its specification says. */
export function historyFile(env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_STATE_HOME: given = "" } = env;
  const state = isAbsolute(given) ? given : join(homedir(), ".local", "state");
  return join(state, "kayactl", "history");
}

/** Commands of earlier shells and of this one, in a file that only its owner can read. */
export class History {
  /** The newest first. */
  readonly entries: string[];
  readonly #path: string;

  private constructor(path: string, entries: string[]) {
    this.#path = path;
    this.entries = entries;
  }

  /** Reads the file, and shortens it where it has grown. Rejects with the system's error where that fails. */
  static async open(path: string): Promise<History> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    const lines = text.split("\n").filter((line) => line !== "");
    if (text !== "") await chmod(path, 0o600);
    const kept = lines.slice(-MOST_ENTRIES);
    if (lines.length > 2 * MOST_ENTRIES) await replace(path, kept);
    return new History(path, [...new Set(kept.reverse())]);
  }

  /** What is kept where no file can be. */
  static inMemory(): History {
    return new History("", []);
  }

  /** Adds a command, but for one that begins with a space. */
  async add(command: ShellCommand): Promise<void> {
    const entry = entryOf(command);
    if (entry === undefined || entry === this.entries[0]) return;
    const earlier = this.entries.indexOf(entry);
    if (earlier >= 0) this.entries.splice(earlier, 1);
    this.entries.unshift(entry);
    this.entries.splice(MOST_ENTRIES);
    if (this.#path !== "") await appendFile(this.#path, `${entry}\n`, { mode: 0o600 });
  }
}

/** One line. A line break in a JSON value is white space; one in quotes is not, and such a command is left out. */
function entryOf({ lines, words }: ShellCommand): string | undefined {
  const [first = ""] = lines;
  if (words.length === 0 || /^\s/.test(first)) return undefined;
  const isJson = lines.length > 1 && words.some((word) => /^[{[]/.test(word) && word.includes("\n"));
  if (lines.length > 1 && !isJson) return undefined;
  const entry = lines.map((line) => line.trim()).join(" ");
  return entry.length > MOST_CHARACTERS ? undefined : entry;
}

/** In a directory of its own, so that a failure removes nothing but what was made here. */
async function replace(path: string, lines: readonly string[]): Promise<void> {
  const directory = await mkdtemp(`${path}.`);
  try {
    const temporary = join(directory, "history");
    await writeFile(temporary, `${lines.join("\n")}\n`, { mode: 0o600 });
    await rename(temporary, path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
