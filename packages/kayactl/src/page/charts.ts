import { formatCount } from "../units.js";
import { el, svg } from "./dom.js";
import { RECORD_TYPES } from "./page-data.js";
import { hideTooltip, showTooltip } from "./tooltip.js";

export interface Bar {
  readonly label: string;
  /** By type. */
  readonly values: readonly number[];
  readonly onClick?: () => void;
}

interface ChartOptions {
  readonly format: (value: number) => string;
  /** What stands under the first bar and the last one. */
  readonly ends: readonly [first: string, last: string];
  readonly what: string;
  /** What the axes measure. */
  readonly axes: { readonly across: string; readonly up: string };
}

const HEIGHT = 160;
const WIDTH = 600;

/** Bars stacked by record type, with the same figures as a table. */
export function barChart(bars: readonly Bar[], { format, ends, what, axes }: ChartOptions): HTMLElement {
  const sums = bars.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  const most = Math.max(1, ...sums);
  const step = WIDTH / Math.max(1, bars.length);
  const gap = Math.min(2, step / 5);
  const chart = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": `${what}: ${format(most)} at most. The table below has the figures.`,
  });
  bars.forEach((bar, index) => {
    const group = svg("g", { class: bar.onClick === undefined ? "bar" : "bar clickable" });
    const x = String(index * step);
    group.append(svg("rect", { class: "bar-room", x, y: "0", width: String(step), height: String(HEIGHT) }));
    let bottom = HEIGHT;
    bar.values.forEach((value, type) => {
      const height = (value / most) * HEIGHT;
      bottom -= height;
      if (value > 0)
        group.append(
          svg("rect", {
            class: `fill-${RECORD_TYPES[type]}`,
            x: String(index * step + gap / 2),
            y: String(bottom),
            width: String(step - gap),
            height: String(height),
          }),
        );
    });
    group.addEventListener("pointermove", (event) => showTooltip(event as PointerEvent, tipOf(bar, format)));
    group.addEventListener("pointerleave", hideTooltip);
    if (bar.onClick !== undefined) group.addEventListener("click", bar.onClick);
    chart.append(group);
  });
  return el(
    "div",
    { class: "chart" },
    el("div", { class: "axis" }, el("span", {}, `↑ ${axes.up}`), el("span", {}, `top ${format(most)}`)),
    chart,
    el(
      "div",
      { class: "axis" },
      ...[ends[0], `${axes.across} →`, ends[1]].map((label) => el("span", {}, label)),
    ),
    figures(bars, format, what),
  );
}

function tipOf({ label, values }: Bar, format: (value: number) => string): string[] {
  const parts = RECORD_TYPES.map((type, at) => ({ type, value: values[at] ?? 0 })).filter(
    ({ value }) => value > 0,
  );
  return [label, ...parts.map(({ type, value }) => `${type} ${format(value)}`)];
}

function figures(bars: readonly Bar[], format: (value: number) => string, what: string): HTMLElement {
  const details = el("details", {}, el("summary", {}, `${what} as a table`));
  // Made when it is asked for: most readers never do.
  details.addEventListener(
    "toggle",
    () => {
      const cell = (value: number) => el("td", {}, value === 0 ? "–" : format(value));
      const head = el(
        "tr",
        {},
        el("th", {}, ""),
        ...RECORD_TYPES.map((type) => el("th", { scope: "col" }, type)),
      );
      const rows = bars.map(({ label, values }) =>
        el("tr", {}, el("th", { scope: "row" }, label), ...values.map(cell)),
      );
      details.append(el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows)));
    },
    { once: true },
  );
  return details;
}

/** `2^n` bytes and more, as people say it. */
export function sizeLabel(power: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  return `${formatCount(2 ** (power % 10))} ${units[Math.floor(power / 10)] ?? "B"}`;
}
