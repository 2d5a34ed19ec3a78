import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { Help, InvalidArgumentError, Option } from "commander";
import { invalid, toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { benchLines, benchNotes } from "../disk-bench/bench-text.js";
import type { BenchProgress, BenchResult } from "../disk-bench/run-bench.js";
import { parseWholeNumber } from "../options.js";
import { shownAs } from "../terminal/progress-line.js";
import { escapeText } from "../terminal/text.js";
import { whileShown } from "../terminal/while-shown.js";
import { formatBytes, formatDuration } from "../units.js";

interface BenchCommandOptions {
  readonly dir?: string;
  readonly seconds: number;
  readonly valueBytes: number;
}

const DEFAULT_SECONDS = 10;
const MOST_SECONDS = 3600;
const DEFAULT_VALUE_BYTES = 100;
const MOST_VALUE_BYTES = 16 * 1024 * 1024;

export const registerBench: Register = (program, execute) => {
  program
    .command("bench")
    .summary("how fast Kaya is on this disk")
    .description(
      "Measure fsync, durable and relaxed puts, gets, a scan and an opening, in a new directory beside the data directory, which is removed in the end, also " +
        "with Ctrl-C. The data directory itself is not opened.",
    )
    .option("--dir <dir>", "make the new directory here instead")
    .addOption(
      new Option("--seconds <n>", `about how long, in all (default: ${DEFAULT_SECONDS})`)
        .argParser(parseSeconds)
        .default(DEFAULT_SECONDS),
    )
    .addOption(
      new Option("--value-bytes <n>", `of each value (default: ${DEFAULT_VALUE_BYTES})`)
        .argParser(parseValueBytes)
        .default(DEFAULT_VALUE_BYTES),
    )
    .addHelpText(
      "after",
      `
Each figure is the median of five rounds, with the lowest and the highest. Keys have 12 bytes. For a comparison with other stores
see docs/benchmarks.md in the repository.

Examples:
  kayactl bench --data /var/lib/app
  kayactl bench --dir /mnt/other --seconds 60 --value-bytes 1000
  kayactl bench --json | jq '.rows[] | {name, median}'`,
    )
    .action((options: BenchCommandOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        await bench(context, options);
        return ExitCode.Ok;
      }),
    );
};

async function bench(context: Context, { dir, seconds, valueBytes }: BenchCommandOptions): Promise<void> {
  const { io, out, options } = context;
  if (dir !== undefined) await assertDirectory(dir);
  const { runBench } = await import("../disk-bench/run-bench.js"); // large: only where it is used
  const { placeOf } = await import("../doctor/place.js");
  // Beside a directory that is in `dir`, on whatever file system that is.
  const place = await placeOf(dir === undefined ? options.data : resolve(dir, "data"));
  const beside = dir ?? place.beside;
  const result = await whileShown<BenchProgress, BenchResult>(context, benchProgress, (onProgress) =>
    runBench({ beside, seconds, valueBytes, signal: io.signal, onProgress }),
  );
  const fileSystem = place.mount?.type ?? "unknown";
  if (options.json) {
    await out.line(
      toJson({ ok: true, dir: beside, fileSystem, node: process.version, valueBytes, ...result }),
    );
    return;
  }
  const head = `${beside} (${fileSystem}), Node ${process.version}, values of ${formatBytes(valueBytes)}`;
  await out.line(out.colors.bold(escapeText(head)));
  await out.line(
    `median of ${result.rounds} rounds of ${formatDuration(result.roundMs)} each, and the lowest and highest round`,
  );
  for (const line of ["", ...benchLines(result), ""]) await out.line(escapeText(line));
  for (const note of benchNotes(result))
    await out.line(out.isTty ? new Help().boxWrap(note, out.columns) : note);
}

async function assertDirectory(dir: string): Promise<void> {
  const found = await stat(dir).catch(() => undefined);
  if (found?.isDirectory() !== true) throw invalid(`--dir ${dir} is no directory: give one that is there`);
}

const benchProgress = shownAs(
  ({ round, rounds, measure }: BenchProgress) =>
    `measuring: ${round === 0 ? "warming up" : `round ${round} of ${rounds}`}, ${measure}`,
);

/** For commander. */
function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d*\.?\d+$/.test(text) && seconds >= 0.1 && seconds <= MOST_SECONDS) return seconds;
  throw new InvalidArgumentError(`It must be a number of seconds from 0.1 to ${MOST_SECONDS}.`);
}

/** For commander. */
function parseValueBytes(text: string): number {
  const bytes = parseWholeNumber(text);
  if (bytes <= MOST_VALUE_BYTES) return bytes;
  throw new InvalidArgumentError(`It must be at most ${MOST_VALUE_BYTES}.`);
}
