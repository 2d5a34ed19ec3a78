import type { Run } from "../run.js";
import { figureOf } from "../statistics.js";
import { formatFigure, formatRatio, formatSpread } from "./format.js";
import { type Verdict, verdictsOf } from "./verdicts.js";

/** The whole report: figures, targets, spread, how each system was set up, and on what. */
export function toMarkdown(run: Run): string {
  const { machine } = run;
  const parts = [
    `Measured on ${machine.date} at commit ${machine.commit}, ${run.mode} mode: medians of ${run.rounds} ${
      run.rounds === 1 ? "round" : "rounds"
    }, 16-byte keys, 100-byte values, ${run.entries.toLocaleString("en-US")} entries where entries are read.`,
    `${machine.cpu}, ${machine.memoryGiB} GiB, data on ${machine.fileSystem}, ${machine.system}, Node ${machine.node}.`,
    figuresTable(run),
    section("Targets", targetsTable(verdictsOf(run))),
    section("What holds back the targets that are not reached", limitsList(verdictsOf(run))),
    section("Spread", spreadTable(run)),
    section("Systems", systemsTable(run)),
    section("Not measured", failuresList(run)),
    section("Measured in another way", (run.notes ?? []).map((note) => `- ${note}`).join("\n")),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

/** Rows and systems, medians. The best of a row, the raw loop aside, is bold. */
function figuresTable(run: Run): string {
  const names = run.systems.map(({ name }) => name);
  const rows = run.rows.map((row) => {
    const medians = names.map((system) => figureOf(run.samples, { row: row.id, system })?.median);
    const stores = medians.filter((median, i) => median !== undefined && names[i] !== "raw loop") as number[];
    const best = row.better === "higher" ? Math.max(...stores) : Math.min(...stores);
    const cells = medians.map((median, i) => {
      if (median === undefined) return "";
      const isBest = stores.length > 1 && median === best && names[i] !== "raw loop";
      return isBest ? `**${formatFigure(median)}**` : formatFigure(median);
    });
    return [`${row.title} (${row.unit})`, ...cells];
  });
  return table(["", ...names], rows);
}

function targetsTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ title, target, found, isRatio, isReached }) => [
    title,
    target,
    found === undefined ? "" : formatSpread(found, isRatio ? formatRatio : formatFigure),
    isReached === undefined ? "not measured" : isReached ? "reached" : "**not reached**",
  ]);
  return rows.length === 0 ? "" : table(["", "target", "found, median (min to max)", ""], rows, [2]);
}

function limitsList(verdicts: readonly Verdict[]): string {
  return verdicts
    .flatMap(({ title, target, limit }) => (limit === undefined ? [] : [`- ${title} (${target}): ${limit}`]))
    .join("\n");
}

function spreadTable(run: Run): string {
  const rows = run.rows.map((row) => {
    const cells = run.systems.map(({ name }) => {
      const spread = figureOf(run.samples, { row: row.id, system: name });
      return spread === undefined ? "" : `${formatFigure(spread.min)} to ${formatFigure(spread.max)}`;
    });
    return [row.title, ...cells];
  });
  return table(["min to max", ...run.systems.map(({ name }) => name)], rows);
}

function systemsTable(run: Run): string {
  const rows = run.systems.map(({ name, version, durable, relaxed }) => [
    name,
    version,
    durable ?? "has none",
    relaxed,
  ]);
  return table(["", "version", "durable", "relaxed"], rows, []);
}

function failuresList(run: Run): string {
  return run.failures
    .map(({ workload, system, message }) => `- ${workload}, ${system}: ${message.split("\n")[0]}`)
    .join("\n");
}

function section(title: string, body: string): string {
  return body === "" ? "" : `### ${title}\n\n${body}`;
}

/** Columns of `figures` are to the right; absent: all but the first. */
function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  figures: readonly number[] = head.map((_, i) => i).slice(1),
): string {
  const alignment = head.map((_, i) => (figures.includes(i) ? "--:" : "---"));
  return [head, alignment, ...rows.map((row) => row.map(escapeCell))].map(toLine).join("\n");
}

function toLine(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function escapeCell(cell: string): string {
  return cell.replaceAll("|", "\\|");
}
