import { Command, Help } from "commander";
import { registerBackup } from "./commands/backup.js";
import { registerCompact } from "./commands/compact.js";
import { registerConsumers } from "./commands/consumers.js";
import { registerDelete } from "./commands/delete.js";
import { registerFlush } from "./commands/flush.js";
import { registerGet } from "./commands/get.js";
import { registerInspect } from "./commands/inspect.js";
import { registerPut } from "./commands/put.js";
import { registerQuarantine } from "./commands/quarantine.js";
import { registerRecover } from "./commands/recover.js";
import { registerScan } from "./commands/scan.js";
import { registerSim } from "./commands/sim.js";
import { registerStats } from "./commands/stats.js";
import { registerVerify } from "./commands/verify.js";
import type { Execute } from "./context.js";
import { addGlobalOptions } from "./options.js";
import type { Output } from "./output.js";
import { version } from "./version.js";

const HELP_WIDTH = 100;

const AFTER_HELP = `
Examples:
  kayactl put user:1 Ada
  kayactl get user:1
  kayactl scan user: --json
  kayactl verify --data /var/lib/app

Exit codes:
  0  done                    3  the data is damaged
  1  the system said no      4  a mistake in the call, or data of a newer version
  2  not found               5  a bug of Kaya: a broken promise that "sim" found, for one
                             6  another process has the directory open

Results go to standard output, all else to standard error. "kayactl help COMMAND" tells more.`;

/** The command line. Help and version go to `writeOut`; a wrong call throws a CommanderError and prints nothing. */
export function createProgram(execute: Execute, out: Output, writeOut: (text: string) => void): Command {
  const program = new Command("kayactl")
    .description("Read, write, check and repair a Kaya data directory.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .usage("COMMAND [options]")
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut,
      writeErr: () => undefined,
      outputError: () => undefined,
      getOutHelpWidth: () => Math.min(out.columns, HELP_WIDTH),
      getOutHasColors: () => out.colors.isColorSupported,
    })
    .configureHelp({
      showGlobalOptions: true,
      // Choices and defaults stand in the descriptions, where they read better.
      optionDescription: (option) => option.description,
      subcommandTerm: (command) => `${command.name()} ${argumentsOf(command)}`.trimEnd(),
      styleTitle: (title) => out.colors.bold(title),
      visibleCommands: (command) => [...command.commands],
      formatHelp: (command, helper) => {
        const help = Help.prototype.formatHelp.call(helper, command, helper);
        return command.parent === null ? commandsFirst(help) : help;
      },
    })
    .addHelpText("after", AFTER_HELP);
  addGlobalOptions(program);
  program.commandsGroup("Data:");
  for (const register of [registerPut, registerGet, registerDelete, registerScan, registerStats]) {
    register(program, execute);
  }
  program.commandsGroup("Files:");
  for (const register of [
    registerVerify,
    registerRecover,
    registerFlush,
    registerCompact,
    registerBackup,
    registerConsumers,
    registerQuarantine,
    registerInspect,
  ]) {
    register(program, execute);
  }
  program.commandsGroup("Proof:");
  registerSim(program, execute);
  return program;
}

function argumentsOf(command: Command): string {
  const inner = command.commands[0];
  if (inner !== undefined) return `${inner.name()} ${argumentsOf(inner)}`;
  return command.registeredArguments
    .map((argument) => (argument.required ? argument.name() : `[${argument.name()}]`))
    .join(" ");
}

/** What can be done is what a reader looks for; how, comes behind it. */
function commandsFirst(help: string): string {
  const sections = help.trimEnd().split("\n\n");
  const isOptions = (section: string) => section.includes("--version");
  return `${[...sections.filter((each) => !isOptions(each)), ...sections.filter(isOptions)].join("\n\n")}\n`;
}
