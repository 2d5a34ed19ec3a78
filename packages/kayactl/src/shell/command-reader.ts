import { splitLine } from "../completion/split-line.js";

/** A command of a shell: one line, or more where a quote or a bracket goes on. */
export interface ShellCommand {
  /** Its lines as they were typed. */
  readonly lines: readonly string[];
  readonly words: readonly string[];
}

/** Puts lines together until nothing is open in them. */
export class CommandReader {
  #lines: string[] = [];

  /** Whether a command goes on. */
  get isOpen(): boolean {
    return this.#lines.length > 0;
  }

  /** The command that this line ends; undefined where more must follow. Without words: an empty line or a comment. */
  add(line: string): ShellCommand | undefined {
    if (!this.isOpen && line.trimStart().startsWith("#")) return { lines: [line], words: [] };
    this.#lines.push(line);
    const { words, open } = splitLine(textOf(this.#lines), { withJson: true });
    if (open !== undefined) return undefined;
    const lines = this.#lines;
    this.#lines = [];
    return { lines, words: words.map(({ text }) => text) };
  }

  /** Forgets the lines of a command that does not end. */
  clear(): void {
    this.#lines = [];
  }
}

/** A backslash at the end of a line takes the line break away, as in sh. */
function textOf(lines: readonly string[]): string {
  return lines.join("\n").replace(/(?<!\\)((?:\\\\)*)\\\n/g, "$1");
}
