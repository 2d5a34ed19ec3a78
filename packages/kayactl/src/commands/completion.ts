import { Argument } from "commander";
import { completionScript, isShell, SHELLS } from "../completion/scripts.js";
import { ExitCode, type Register } from "../context.js";

export const registerCompletion: Register = (program, execute) => {
  program
    .command("completion")
    .summary("print a script that completes commands, options, paths and keys")
    .description(
      "Print a completion script for a shell. It completes commands, options, their values, paths, and the keys of the data directory, which " +
        "it reads without a lock.",
    )
    .addArgument(new Argument("<SHELL>", SHELLS.join(", ")).choices(SHELLS))
    .addHelpText(
      "after",
      `
Examples:
  eval "$(kayactl completion bash)"    # in ~/.bashrc
  eval "$(kayactl completion zsh)"     # in ~/.zshrc, behind compinit
  kayactl completion fish > ~/.config/fish/completions/kayactl.fish`,
    )
    .action((shell: string, _options: object, command) =>
      execute(command.optsWithGlobals(), async ({ out }) => {
        if (isShell(shell)) await out.write(completionScript(shell));
        return ExitCode.Ok;
      }),
    );
};
