#!/usr/bin/env node
import { CommanderError } from "commander";
import { bench } from "./bench.js";
import { clusterBench } from "./cluster/cluster-bench.js";
import { parseOptions } from "./options.js";

const interruption = new AbortController();
process.on("SIGINT", () => {
  if (interruption.signal.aborted) process.exit(130);
  interruption.abort();
});

const { stdout, stderr } = process;
const terminal = {
  out: (text: string) => stdout.write(text),
  note: (text: string) => stderr.write(`${text}\n`),
  isTty: stdout.isTTY === true,
};

// pnpm gives the `--` of `pnpm bench -- cluster` to the script.
const given = process.argv.slice(2);
const argv = given[0] === "--" ? given.slice(1) : given;

try {
  process.exitCode =
    argv[0] === "cluster"
      ? await clusterBench(argv.slice(1), terminal)
      : await bench(parseOptions(argv), terminal, interruption.signal);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode; // Commander has said why
}
