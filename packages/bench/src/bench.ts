import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pc from "picocolors";
import { buildBetterSqlite3, needsBuilding } from "./build-native.js";
import { checkDurable, durableSystems, durableWays, isDurable, PUTS } from "./durability/check-durable.js";
import type { SyncCount } from "./durability/strace-log.js";
import { describeMachine } from "./machine.js";
import type { Options } from "./options.js";
import { describePlan, planOf } from "./plan.js";
import { intoDocument } from "./report/into-document.js";
import { describeFailure, toMarkdown } from "./report/markdown.js";
import { toSvg } from "./report/svg.js";
import { toText } from "./report/terminal.js";
import type { MeasuredSystem, Run } from "./run.js";
import { Runner } from "./runner.js";
import { installedVersion, PeerMissing, type System } from "./system.js";
import { SYSTEMS } from "./systems/all.js";
import { withDataDirectory } from "./workspace.js";

export interface Terminal {
  /** The report. */
  out(text: string): void;
  /** Progress and errors. */
  note(text: string): void;
  readonly isTty: boolean;
}

/** Runs the bench by its options. @returns the exit code: 1 where something could not be measured, or is not durable */
export async function bench(options: Options, terminal: Terminal, signal: AbortSignal): Promise<number> {
  if (options.plan) {
    terminal.out(`${describePlan(planOf(options), options.scale)}\n`);
    return 0;
  }
  if (options.from === undefined && options.systems.includes("better-sqlite3")) await buildOnce(terminal);
  if (options.checkDurable) return checkAll(options, terminal);
  const run =
    options.from === undefined ? await measure(options, terminal, signal) : await readRun(options.from);
  if (signal.aborted) return 130;
  await writeReports(run, options);
  const colors = pc.createColors(terminal.isTty && (process.env.NO_COLOR ?? "") === "");
  terminal.out(`${toText(run, colors)}\n`);
  return run.failures.some(({ isMissing }) => !isMissing) ? 1 : 0;
}

async function measure(options: Options, terminal: Terminal, signal: AbortSignal): Promise<Run> {
  const plan = planOf(options);
  return withDataDirectory(options.dir, async (dir) => {
    const runner = new Runner(options, dir, signal, {
      progress: (text) => terminal.note(text),
      failed: (failure) =>
        terminal.note(
          failure.isMissing
            ? `left out: ${describeFailure(failure)}`
            : `not measured: ${failure.workload}, ${failure.system}: ${failure.message}`,
        ),
    });
    const figures = await runner.run();
    const measured = SYSTEMS.filter(({ name }) => figures.samples.some(({ system }) => system === name));
    return {
      machine: describeMachine(dir),
      mode: options.scale.mode,
      rounds: options.scale.rounds,
      roundsOf: options.scale.roundsOf,
      entries: options.scale.entries,
      rows: plan.flatMap(({ rows }) => rows),
      systems: measured.map(describeSystem),
      ...figures,
    };
  });
}

function describeSystem({ name, packageName, version, setup, typed }: System): MeasuredSystem {
  const found = packageName === undefined ? "this commit" : (installedVersion(packageName) ?? "unknown");
  return { name, version: version ?? found, ...setup, ...(typed && { encodings: typed.encodings }) };
}

async function readRun(file: string): Promise<Run> {
  return JSON.parse(await readFile(file, "utf8")) as Run;
}

async function writeReports(run: Run, { json, markdown, svg, into }: Options): Promise<void> {
  if (json !== undefined) await writeFile(json, `${JSON.stringify(run)}\n`);
  if (markdown !== undefined) await writeFile(markdown, toMarkdown(run));
  if (svg !== undefined) await writeFile(svg, toSvg(run));
  for (const file of into) await writeFile(file, intoDocument(await readFile(file, "utf8"), run, file));
}

async function checkAll(options: Options, terminal: Terminal): Promise<number> {
  let areDurable = true;
  await withDataDirectory(options.dir, async (dir) => {
    for (const name of durableSystems(options.systems)) {
      const systemDir = join(dir, name.replaceAll(" ", "-"));
      try {
        for (const way of await durableWays(name, join(systemDir, "ways"))) {
          const count = await checkDurable(name, way, join(systemDir, way));
          terminal.out(`${describeCount(name, way, count)}\n`);
          areDurable &&= isDurable(count);
        }
      } catch (error) {
        terminal.out(`${name}: not checked: ${(error as Error).message}\n`);
        areDurable &&= error instanceof PeerMissing;
      }
    }
  });
  return areDurable ? 0 : 1;
}

function describeCount(system: string, way: string, count: SyncCount): string {
  const calls = Object.entries(count.calls).map(([call, times]) => `${call} ${times}`);
  return (
    `${system}, ${way}: ${count.covered} of ${PUTS} writes with a sync between call and acknowledgement ` +
    `(in all: ${calls.join(", ") || "none"}): ${isDurable(count) ? "durable" : "NOT DURABLE"}`
  );
}

async function buildOnce(terminal: Terminal): Promise<void> {
  if (!needsBuilding()) return;
  terminal.note("better-sqlite3 comes without a binary: building it, once, which takes a minute or two");
  try {
    await buildBetterSqlite3();
  } catch (error) {
    terminal.note(
      `better-sqlite3 cannot be built and is left out: ${(error as Error).message.split("\n")[0]}`,
    );
  }
}
