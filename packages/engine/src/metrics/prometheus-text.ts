import type { HistogramRow, MetricRow } from "./metric-row.js";
import type { MetricStats } from "./metric-stats.js";
import { countedOf, samplesOf } from "./samples.js";
import { type MetricStores, type NamedStats, rowsOf, statsByStore } from "./stores.js";

/** `prometheus`: the text format 0.0.4. `openmetrics`: OpenMetrics 1.0. */
export type MetricsFormat = "prometheus" | "openmetrics";

type Labels = Readonly<Record<string, string>>;

const SUFFIXES: Readonly<Record<string, string>> = { By: "bytes", s: "seconds" };

/** The metrics of stores as a scrape of Prometheus wants them. @throws KayaError KAYA_INVALID_ARGUMENT */
export function prometheusText(stores: MetricStores, format: MetricsFormat = "prometheus"): string {
  const all = statsByStore(stores);
  const families = rowsOf(stores).map((row) => familyOf(row, all, format));
  return families.join("") + (format === "openmetrics" ? "# EOF\n" : "");
}

/** The name in Prometheus, by the rules that OpenTelemetry has for it. */
export function prometheusName({ name, unit, kind }: MetricRow): string {
  const parts = [name.replaceAll(".", "_"), unit === "1" ? "ratio" : SUFFIXES[unit]];
  return [...parts, kind === "counter" ? "total" : undefined].filter((part) => part !== undefined).join("_");
}

/** A metric of all stores: they stand together, below one head. Nothing where no store has it. */
function familyOf(row: MetricRow, stores: readonly NamedStats[], format: MetricsFormat): string {
  const name = prometheusName(row);
  const lines = stores.flatMap(({ store, stats }) =>
    row.kind === "histogram"
      ? histogramLines(row, name, store, stats)
      : samplesOf(row, stats).map(([value, labels]) => line(name, { store, ...labels }, value as number)),
  );
  return lines.length === 0 ? "" : [...headOf(row, name, format), ...lines, ""].join("\n");
}

function headOf({ kind, unit, help }: MetricRow, name: string, format: MetricsFormat): string[] {
  const type = kind === "updowncounter" ? "gauge" : kind;
  if (format === "prometheus") return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
  // There `_total` belongs to the sample, not to the family.
  const family = kind === "counter" ? name.replace(/_total$/, "") : name;
  const ofUnit = SUFFIXES[unit] === undefined ? [] : [`# UNIT ${family} ${SUFFIXES[unit]}`];
  return [`# TYPE ${family} ${type}`, ...ofUnit, `# HELP ${family} ${help}`];
}

function histogramLines(row: HistogramRow, name: string, store: string, stats: MetricStats): string[] {
  const counted = countedOf(row, stats);
  if (counted === undefined) return [];
  const { count, distribution, scale = 1 } = counted;
  const upTo = (bound: number) =>
    distribution.buckets.findLast(([atMost]) => atMost * scale <= bound * (1 + Number.EPSILON))?.[1] ?? 0;
  return [
    ...row.bounds.map((bound) => line(`${name}_bucket`, { store, le: formatBound(bound) }, upTo(bound))),
    line(`${name}_bucket`, { store, le: "+Inf" }, count),
    line(`${name}_sum`, { store }, count * distribution.mean * scale),
    line(`${name}_count`, { store }, count),
  ];
}

/** With a point, as OpenMetrics wants it. */
function formatBound(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : `${bound}`;
}

function line(name: string, labels: Labels, value: number): string {
  const texts = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}{${texts.join(",")}} ${value}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
