#!/usr/bin/env node
import { CommanderError } from "commander";
import { bench } from "./bench.js";
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

try {
  process.exitCode = await bench(parseOptions(process.argv.slice(2)), terminal, interruption.signal);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode; // Commander has said why
}
