import { type Command, Help } from "commander";
import { invalid } from "./bytes.js";
import type { Output } from "./terminal/output.js";

const HELP_WIDTH = 100;

/** The topic of `kayactl help options`. */
const OPTIONS_TOPIC = "options";

const ABOUT_GLOBAL_OPTIONS =
  'Every command takes the options that "kayactl help options" lists, such as --data DIR.';

const AFTER_HELP = `
Examples:
  kayactl put user:1 Ada
  kayactl get user:1
  kayactl scan user: --json
  kayactl verify --data /var/lib/app

Exit codes:
  0  done                    3  the data is damaged
  1  the system refused      4  a mistake in the call, or data of a newer version
  2  not found               5  a bug of Kaya, or a promise that "sim" found broken
                             6  another process has the directory open

Results go to standard output, all else to standard error. "kayactl help COMMAND" says more.`;

/** How help looks, for this command and all that are added to it later. */
export function configureHelp(program: Command, out: Output, writeOut: (text: string) => void): void {
  const width = () => Math.min(out.columns, HELP_WIDTH);
  program
    .helpOption("-h, --help", "print help")
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => writeOut(wrapParagraphs(text, width())),
      writeErr: () => undefined,
      outputError: () => undefined,
      getOutHelpWidth: width,
      getOutHasColors: () => out.colors.isColorSupported,
    })
    .configureHelp({
      // Choices and defaults stand in the descriptions, where they read better.
      optionDescription: (option) => option.description,
      subcommandTerm: (command) => `${namesOf(command)} ${argumentsOf(command)}`.trimEnd(),
      styleTitle: (title) => out.colors.bold(title),
      visibleCommands(command) {
        const visible = Help.prototype.visibleCommands.call(this, command);
        return visible.filter((each) => each.name() !== "help");
      },
      formatHelp: (command, helper) => {
        const help = Help.prototype.formatHelp.call(helper, command, helper);
        return command.parent === null ? commandsFirst(help) : `${help}\n${ABOUT_GLOBAL_OPTIONS}\n`;
      },
    })
    .addHelpText("after", AFTER_HELP);
}

/** Adds `help [COMMAND...]`. Commander's own takes one word, and `inspect wal` is two. */
export function registerHelp(program: Command, writeOut: (text: string) => void): void {
  program
    .command("help")
    .summary("print help of a command, or of the options that every command takes")
    .description(
      `Print help of COMMAND, such as "inspect wal". "help ${OPTIONS_TOPIC}" lists the options that every command takes.`,
    )
    .argument("[COMMAND...]")
    .action((path: readonly string[]) => {
      if (path.length === 1 && path[0] === OPTIONS_TOPIC) writeOut(optionsText(program));
      else commandAt(program, path).outputHelp();
    });
}

/** The names of a command from the root on, without the root's: `inspect wal`. */
export function pathOf(command: Command): string {
  const { parent } = command;
  return parent === null ? "" : `${pathOf(parent)} ${command.name()}`.trimStart();
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
function commandAt(program: Command, path: readonly string[]): Command {
  let command = program;
  for (const [index, name] of path.entries()) {
    const inner = command.commands.find((each) => each.name() === name || each.aliases().includes(name));
    if (inner === undefined) {
      const given = JSON.stringify(path.slice(0, index + 1).join(" "));
      throw invalid(`there is no command ${given} (see "${`kayactl help ${pathOf(command)}`.trimEnd()}")`);
    }
    command = inner;
  }
  return command;
}

function namesOf(command: Command): string {
  return [command.name(), ...command.aliases()].join("|");
}

function argumentsOf(command: Command): string {
  if (command.commands.length > 0) return command.commands.map((each) => each.name()).join("|");
  return command.registeredArguments
    .map((argument) => (argument.required ? argument.name() : `[${argument.name()}]`))
    .join(" ");
}

/** A reader looks for commands first. The options follow. */
function commandsFirst(help: string): string {
  const sections = help.trimEnd().split("\n\n");
  return `${[...sections.filter((each) => !hasOptions(each)), ...sections.filter(hasOptions)].join("\n\n")}\n`;
}

function optionsText(program: Command): string {
  const sections = program.helpInformation().trimEnd().split("\n\n").filter(hasOptions);
  return `Every command takes these options, before or after its name.\n\n${sections.join("\n\n")}\n`;
}

/** Breaks lines between words to the width, but for lists and examples, which are indented. */
function wrapParagraphs(text: string, width: number): string {
  return text.replace(/[^\n]+(?:\n[^\n]+)*/g, (paragraph) =>
    /^[ \t]/m.test(paragraph) ? paragraph : new Help().boxWrap(paragraph.replaceAll("\n", " "), width),
  );
}

function hasOptions(section: string): boolean {
  return section.includes("--data <dir>");
}
