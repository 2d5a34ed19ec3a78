import { Command, InvalidArgumentError, Option } from "commander";
import { FULL, LARGE, QUICK, type Scale } from "./scale.js";
import { SYSTEMS } from "./systems/all.js";

export interface Options {
  readonly scale: Scale;
  /** Rows whose id matches; all of the scale where absent. */
  readonly only?: RegExp;
  /** Names of systems. */
  readonly systems: readonly string[];
  /** Where the data goes; a temporary directory beside the code where absent. */
  readonly dir?: string;
  readonly json?: string;
  readonly markdown?: string;
  readonly svg?: string;
  /** Report on the figures in this file instead of measuring. */
  readonly from?: string;
  /** Each process of a workload writes its CPU profiles below it. */
  readonly profile?: string;
  readonly checkDurable: boolean;
  /** Say what would be measured, and measure nothing. */
  readonly plan: boolean;
  /** Markdown files whose generated parts are replaced. */
  readonly into: readonly string[];
}

interface Flags extends Omit<Options, "scale" | "systems"> {
  readonly quick?: true;
  readonly full?: true;
  readonly large?: true;
  readonly rounds?: number;
  readonly systems?: readonly string[];
}

/** @throws CommanderError for what is wrong with them, and for --help */
export function parseOptions(argv: readonly string[], write?: (text: string) => void): Options {
  const command = createCommand();
  if (write !== undefined) command.configureOutput({ writeOut: write, writeErr: write });
  // pnpm gives the `--` of `pnpm bench -- --full` to the script.
  command.parse(argv[0] === "--" ? argv.slice(1) : [...argv], { from: "user" });
  const { quick: _, full, large, rounds, systems, ...rest } = command.opts<Flags>();
  const scale = large ? LARGE : full ? FULL : QUICK;
  return {
    ...rest,
    checkDurable: rest.checkDurable ?? false,
    plan: rest.plan ?? false,
    into: rest.into ?? [],
    scale: rounds === undefined ? scale : { ...scale, rounds, roundsOf: {} },
    systems: systems ?? SYSTEMS.map((system) => system.name),
  };
}

function createCommand(): Command {
  return new Command("bench")
    .usage("[options]      (npx pnpm@10 bench builds first; bench cluster --help)")
    .description("Measures Kaya beside its peers, in one run, and says which targets are reached.")
    .addOption(new Option("--quick", "about a minute, the default").conflicts(["full", "large"]))
    .addOption(
      new Option("--full", "all rows beside the peers, 1M entries, about 40 minutes").conflicts([
        "quick",
        "large",
      ]),
    )
    .addOption(
      new Option(
        "--large",
        "the same, more data than memory, opening 10M entries, 10M overwrites, and Kaya alone at 5M and 20M entries: hours",
      ).conflicts(["quick", "full"]),
    )
    .option("--rounds <n>", "rounds, instead of the mode's", wholeNumber)
    .option("--only <pattern>", "rows whose id (workload/figure) matches this regular expression", pattern)
    .option(
      "--systems <names>",
      `of: ${SYSTEMS.map(({ name }) => name.replaceAll(" ", "-")).join(", ")}`,
      systemNames,
    )
    .option("--dir <dir>", "where the data goes (a temporary directory beside the code, removed afterwards)")
    .option("--json <file>", "the figures")
    .option("--markdown <file>", "the report")
    .option("--svg <file>", "the plot")
    .option("--into <files...>", "Markdown files: what is between their <!-- bench:... --> marks is replaced")
    .option("--plan", "say what would be measured, and for how long; measure nothing")
    .option("--from <file>", "report on the figures of an earlier --json, measure nothing")
    .option("--profile <dir>", "write a CPU profile of each process of a workload: dir/workload-system-round")
    .option("--check-durable", "count the syncs of 100 durable writes of each kind and system (needs strace)")
    .allowExcessArguments(false)
    .exitOverride();
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("a whole number >= 1 is wanted");
  return value;
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function systemNames(text: string): string[] {
  const names = text.split(",").map((name) => name.trim().replaceAll(" ", "-"));
  const known = new Map(SYSTEMS.map((system) => [system.name.replaceAll(" ", "-"), system.name]));
  return names.map((name) => {
    const system = known.get(name);
    if (system === undefined) {
      throw new InvalidArgumentError(`${name} is none of ${[...known.keys()].join(", ")}`);
    }
    return system;
  });
}
