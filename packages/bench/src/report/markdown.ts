import { ALL_SYSTEMS, type Failure, type Run } from "../run.js";
import { figureOf } from "../statistics.js";
import { formatFigure, formatRatio } from "./format.js";
import { figuresTable, table } from "./tables.js";
import { type Verdict, verdictsOf } from "./verdicts.js";

/** A figure is reported as spread if its largest round is more than so many times its smallest. */
const FAR_APART = 1.5;

const PERCENTILE = ", 99th percentile";

const MEMORY =
  "Each store that can be told gets a cache and write buffers of 64 MiB each where it is written, a cache of 256 MiB where it is read, and " +
  "its defaults where it is opened. Rows for reads and openings open it as relaxed.";

/** The whole report: figures, targets, spread, how each system was set up, and on what. */
export function toMarkdown(run: Run): string {
  const verdicts = verdictsOf(run);
  const parts = [
    introduction(run),
    figuresTable(run, comparedRates(run), formatFigure),
    figuresList(run),
    section("99th percentiles, in milliseconds", percentilesTable(run)),
    section("Targets", targetsTable(verdicts)),
    section("Spread", spreadList(run)),
    section("Systems", systemsTable(run)),
    section("Not measured", failuresList(run)),
    section("Measured in another way", (run.notes ?? []).map((note) => `- ${note}`).join("\n")),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

/** Machine, date, commit and rounds. */
export function introduction(run: Run): string {
  const { machine } = run;
  const others = Object.entries(run.roundsOf ?? {})
    .filter(([name, rounds]) => rounds !== run.rounds && run.rows.some(({ id }) => id.startsWith(`${name}/`)))
    .map(([name, rounds]) => `${rounds} of ${name}`);
  const rounds = [`${run.rounds} ${run.rounds === 1 ? "round" : "rounds"}`, ...others].join(", ");
  return (
    `Measured on ${machine.date} at commit ${machine.commit}, ${run.mode} mode. Medians of ${rounds}; 16-byte keys, 100-byte values, ` +
    `${run.entries.toLocaleString("en-US")} entries where entries are read.\n` +
    `${machine.cpu}, ${machine.memoryGiB} GiB, data on ${machine.fileSystem}, ${machine.system}, Node ${machine.node}.\n` +
    "Bold: the best store that keeps its data on disk."
  );
}

function ratesOf(run: Run) {
  return run.rows.filter(({ measuredWith }) => measuredWith === undefined);
}

/** Rates of more than one system. */
function comparedRates(run: Run) {
  return ratesOf(run).filter(({ id }) => measuredOf(run, id).length > 1);
}

/** The medians of a row. */
function measuredOf(run: Run, row: string): { system: string; median: number }[] {
  return run.systems.flatMap(({ name: system }) => {
    const median = figureOf(run.samples, { row, system })?.median;
    return median === undefined ? [] : [{ system, median }];
  });
}

function percentilesTable(run: Run): string {
  const rows = run.rows.filter(({ measuredWith }) => measuredWith !== undefined);
  return rows.length === 0
    ? ""
    : figuresTable(run, rows, formatFigure, ({ title }) => title.replace(PERCENTILE, ""));
}

/** A row for all targets of one figure: wanted and found. The table of percentiles shows which of theirs are reached. */
function targetsTable(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return "";
  const titles = new Set(verdicts.map(({ title }) => title).filter((title) => !title.endsWith(PERCENTILE)));
  const rows = [...titles].map((title) => {
    const same = verdicts.filter((verdict) => verdict.title === title);
    const limits = new Set(same.flatMap(({ bottleneck }) => bottleneck ?? []));
    return [title, same.map(outcome).join("; "), [...limits].join(", ")];
  });
  const reached = verdicts.filter(({ isReached }) => isReached === true).length;
  const measured = verdicts.filter(({ isReached }) => isReached !== undefined).length;
  const summary = `${reached} of ${measured} are reached: they are bold. A 99th percentile should be at most that of the best peer: see above.`;
  return `${summary}\n\n${table(["", "target: found", "held back by"], rows, [])}`;
}

function outcome({ target, found, isRatio, isReached }: Verdict): string {
  if (found === undefined) return `${target}: not measured`;
  const figure = (isRatio ? formatRatio : formatFigure)(found.median);
  return `${target}: ${isReached ? `**${figure}**` : figure}`;
}

/** Figures of a single system: in a table their rows would be nearly empty. */
function figuresList(run: Run): string {
  return ratesOf(run)
    .flatMap(({ id, title, unit }) => {
      const [only, ...others] = measuredOf(run, id);
      if (only === undefined || others.length > 0) return [];
      return [`- ${title}: ${formatFigure(only.median)} ${unit} (${only.system})`];
    })
    .join("\n");
}

/** Rates only: a percentile is an extreme already. */
function spreadList(run: Run): string {
  const lines = ratesOf(run).flatMap(({ id, title }) => {
    const apart = run.systems.flatMap(({ name }) => {
      const spread = figureOf(run.samples, { row: id, system: name });
      return spread === undefined || spread.max <= FAR_APART * spread.min
        ? []
        : [`${name} ${formatFigure(spread.min)} to ${formatFigure(spread.max)}`];
    });
    return apart.length === 0 ? [] : [`- ${title}: ${apart.join(", ")}`];
  });
  if (lines.length === 0) return "";
  return [`Figures whose rounds lie further apart than ${FAR_APART} to 1:`, "", ...lines].join("\n");
}

function systemsTable(run: Run): string {
  const rows = run.systems.map(({ name, version, durable, relaxed, transactions, encodings }) => [
    name,
    version,
    durable ?? "has none",
    relaxed,
    transactions ?? "",
    encodings ?? "",
  ]);
  return `${table(["", "version", "durable", "relaxed", "transactions", "objects and tuples"], rows, [])}\n\n${MEMORY}`;
}

function failuresList(run: Run): string {
  return run.failures.map((failure) => `- ${describeFailure(failure)}`).join("\n");
}

/** In a line. A peer that is missing is missing in all workloads. */
export function describeFailure({ workload, system, message, isMissing }: Failure): string {
  const where = isMissing && system !== ALL_SYSTEMS ? system : `${workload}, ${system}`;
  return `${where}: ${message.split("\n")[0]}`;
}

function section(title: string, body: string): string {
  return body === "" ? "" : `### ${title}\n\n${body}`;
}
