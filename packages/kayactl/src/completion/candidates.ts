import type { Command, Option } from "commander";

/** Something that may stand where the cursor is. */
export interface Candidate {
  readonly value: string;
  readonly description?: string;
  /** More follows it in the same word: no space is put behind it. */
  readonly isPart?: boolean;
}

/** The words before the cursor, without the program's name, and the cursor's own as far as the cursor. */
export interface TypedWords {
  readonly words: readonly string[];
  readonly current: string;
}

/** Candidates, or what a shell completes itself. */
export type Placed = readonly Candidate[] | "files" | "directories";

/** What stands in the place of the cursor. The shell itself completes paths. */
type Place =
  | { readonly kind: "values"; readonly candidates: readonly Candidate[] }
  /** @param before what stands before the key in the same word, such as `--gte=` */
  | { readonly kind: "key"; readonly before: string; readonly prefix: string }
  | { readonly kind: "files" | "directories" };

/** Values by the names that arguments have in help. */
const KINDS: readonly (readonly [name: RegExp, kind: "key" | "files" | "directories"])[] = [
  [/^(key|prefix)$/i, "key"],
  [/^(dir|directory|store)$/i, "directories"],
  [/^(path|file|trace)$/i, "files"],
];

const NOTHING: Place = { kind: "values", candidates: [] };

/** How far a command line has come. */
interface Walk {
  readonly command: Command;
  /** Arguments of the command that are there. */
  readonly positionals: number;
  /** The option whose value comes next. */
  readonly option: Option | undefined;
  /** `--` was given: what follows is no option. */
  readonly isEnded: boolean;
}

/**
 * What may stand at the cursor, by the definitions of the commands.
 * @param words the words before the cursor's, without the program's name
 * @param current the cursor's word, as far as the cursor
 */
function placeAt(program: Command, words: readonly string[], current: string): Place {
  const { command, positionals, option, isEnded } = walk(program, words);
  if (option !== undefined) return valuePlace(option.argChoices, nameOfValue(option), "", current);
  if (!isEnded && current.startsWith("-")) return optionAt(command, current);
  if (command.name() === "help" && command.parent === program) {
    return values(subcommands(topicOf(program, words.slice(words.indexOf("help") + 1)), current));
  }
  if (command.commands.length > 0 && positionals === 0) {
    const help = command === program ? [{ value: "help", description: "print help of a command" }] : [];
    return values([...subcommands(command, current), ...help]);
  }
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  const argument = registeredArguments[positionals] ?? (last?.variadic === true ? last : undefined);
  // A key that begins with a dash needs "--" before it.
  return argument === undefined ? NOTHING : valuePlace(argument.argChoices, argument.name(), "", current);
}

/** What may stand at the cursor, with keys. */
export async function candidatesAt(
  program: Command,
  { words, current }: TypedWords,
  keysWith: (prefix: string) => Promise<readonly Candidate[]>,
): Promise<Placed> {
  const place = placeAt(program, words, current);
  if (place.kind === "values") return place.candidates.filter(({ value }) => value.startsWith(current));
  if (place.kind !== "key") return place.kind;
  if (words.includes("--key-hex")) return [];
  const keys = await keysWith(place.prefix);
  const isPlain = place.before === "" && !words.includes("--");
  return keys
    .filter(({ value }) => !isPlain || !value.startsWith("-"))
    .map((key) => ({ ...key, value: place.before + key.value }));
}

/** The value of a global option such as `--data`, or undefined. */
export function globalValue(words: readonly string[], name: string): string | undefined {
  let found: string | undefined;
  for (const [index, word] of words.entries()) {
    if (word === "--") break;
    if (word.startsWith(`${name}=`)) found = word.slice(name.length + 1);
    else if (word === name) found = words[index + 1];
  }
  return found;
}

function walk(program: Command, words: readonly string[]): Walk {
  let command = program;
  let positionals = 0;
  let option: Option | undefined;
  let isEnded = false;
  for (const word of words) {
    const waiting: Option | undefined = option;
    option = undefined;
    if (waiting?.required === true || (waiting?.optional === true && !word.startsWith("-"))) continue;
    if (isEnded) positionals++;
    else if (word === "--") isEnded = true;
    else if (word.startsWith("-")) {
      const named = optionNamed(command, word);
      option = named?.required === true || named?.optional === true ? named : undefined;
    } else {
      const inner = positionals === 0 ? subcommandNamed(command, word) : undefined;
      if (inner === undefined) positionals++;
      else command = inner;
    }
  }
  return { command, positionals, option: option?.required === true ? option : undefined, isEnded };
}

function optionNamed(command: Command, word: string): Option | undefined {
  for (let each: Command | null = command; each !== null; each = each.parent) {
    const found = each.options.find(({ long, short }) => word === long || word === short);
    if (found !== undefined) return found;
  }
  return undefined;
}

function subcommandNamed(command: Command, name: string): Command | undefined {
  return command.commands.find((each) => each.name() === name || each.aliases().includes(name));
}

function topicOf(program: Command, path: readonly string[]): Command {
  return path.reduce((command, name) => subcommandNamed(command, name) ?? command, program);
}

/** Names, and aliases where one of them has been begun. */
function subcommands(command: Command, current: string): Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .flatMap((each) => {
      const names = [each.name(), ...(current === "" ? [] : each.aliases())];
      return names.map((value) => ({ value, description: each.summary() }));
    });
}

function optionAt(command: Command, current: string): Place {
  const equals = current.indexOf("=");
  if (equals > 0) {
    const option = optionNamed(command, current.slice(0, equals));
    const before = current.slice(0, equals + 1);
    return option === undefined
      ? NOTHING
      : valuePlace(option.argChoices, nameOfValue(option), before, current);
  }
  const seen = new Set<string>();
  const candidates: Candidate[] = [];
  for (let each: Command | null = command; each !== null; each = each.parent) {
    for (const { long, description } of each.createHelp().visibleOptions(each)) {
      if (long === undefined || long === null || seen.has(long)) continue;
      seen.add(long);
      candidates.push({ value: long, description });
    }
  }
  return values(candidates);
}

/** `dir` of `--data <dir>`. */
function nameOfValue({ flags }: Option): string {
  return /[<[](\w+)(?:\.\.\.)?[\]>]/.exec(flags)?.[1] ?? "";
}

function valuePlace(
  choices: readonly string[] | undefined,
  name: string,
  before: string,
  current: string,
): Place {
  if (choices !== undefined) return values(choices.map((choice) => ({ value: before + choice })));
  const [, kind] = KINDS.find(([names]) => names.test(name)) ?? [];
  if (kind === "key") return { kind, before, prefix: current.slice(before.length) };
  return kind === undefined ? NOTHING : { kind };
}

function values(candidates: readonly Candidate[]): Place {
  return { kind: "values", candidates };
}
