import type { Run } from "../run.js";
import { formatFigure, formatShort } from "./format.js";
import { introduction } from "./markdown.js";
import { figuresTable } from "./tables.js";

/** The plot, from the root of the repository. */
const PLOT = "docs/benchmarks.svg";

/** Rows of the short table. */
const SUMMARY_ROWS = [
  "durable-puts/1",
  "durable-puts/16",
  "durable-puts/256",
  "synchronous-puts/1",
  "relaxed-puts/256",
  "durable-batches/16",
  "durable-values/16KiB",
  "gets/sync",
  "gets/async",
  "full-scan/pages",
  "ranges/forward",
  "ycsb-a/async",
  "transactions/durable-256",
  "reopening/first-get",
  "after-a-kill/first-get",
];

/** Rows of the plot: rates only. */
export const PLOT_ROWS = [
  "durable-puts/1",
  "durable-puts/16",
  "durable-puts/256",
  "relaxed-puts/256",
  "durable-batches/16",
  "gets/sync",
  "ranges/forward",
  "ycsb-a/async",
];

/** Systems that the short table leaves out: no store; not on disk; an older release of another one. */
const LEFT_OUT = new Set(["raw loop", "memory-level", "rocksdb-6"]);

/** The short table of a README, with the plot below it. */
export function toSummary(run: Run): string {
  const stores = { ...run, systems: run.systems.filter(({ name }) => !LEFT_OUT.has(name)) };
  const rows = SUMMARY_ROWS.flatMap((id) => run.rows.find((row) => row.id === id) ?? []);
  const parts = [
    introduction(run),
    figuresTable(stores, rows, (value) => (value >= 1000 ? formatShort(value) : formatFigure(value))),
    `![Operations per second, Kaya beside its peers](${PLOT})`,
  ];
  return `${parts.join("\n\n")}\n`;
}
