import type pc from "picocolors";
import type { Run } from "../run.js";
import { figureOf } from "../statistics.js";
import { formatFigure, formatRatio, formatSpread } from "./format.js";
import { verdictsOf } from "./verdicts.js";

type Colors = ReturnType<typeof pc.createColors>;

/** The report on a terminal: figures and targets. */
export function toText(run: Run, colors: Colors): string {
  const { machine } = run;
  return [
    colors.dim(
      `${machine.date}, commit ${machine.commit}, ${run.mode} mode, medians of ${run.rounds}; ${machine.cpu}, ${machine.memoryGiB} GiB, ` +
        `${machine.fileSystem}, ${machine.system}, Node ${machine.node}`,
    ),
    colors.dim(run.systems.map(({ name, version }) => `${name} ${version}`).join(", ")),
    "",
    ...figureLines(run, colors),
    "",
    ...verdictLines(run, colors),
    ...(run.notes ?? []),
  ].join("\n");
}

function figureLines(run: Run, colors: Colors): string[] {
  const names = run.systems.map(({ name }) => name);
  const rows = run.rows.map(({ id, title }) => [
    title,
    ...names.map((system) => {
      const median = figureOf(run.samples, { row: id, system })?.median;
      return median === undefined ? "-" : formatFigure(median);
    }),
  ]);
  const [head = "", ...lines] = align([["", ...names], ...rows]);
  return [colors.bold(head), ...lines];
}

function verdictLines(run: Run, colors: Colors): string[] {
  const verdicts = verdictsOf(run);
  const lines = align(
    verdicts.map(({ title, target, found, isRatio }) => [
      title,
      target,
      found === undefined ? "not measured" : formatSpread(found, isRatio ? formatRatio : formatFigure),
    ]),
  );
  return lines.flatMap((line, i) => {
    const { isReached, limit } = verdicts[i] ?? {};
    if (isReached === undefined) return line;
    const verdict = `${line}  ${isReached ? colors.green("reached") : colors.red("not reached")}`;
    return limit === undefined ? verdict : [verdict, colors.dim(`  ${limit}`)];
  });
}

/** The first column to the left, the others to the right. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
  );
}
