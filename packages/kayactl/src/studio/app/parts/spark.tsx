import type { JSX } from "preact";
import { useState } from "preact/hooks";

interface Series {
  readonly name: string;
  /** The newest last; undefined: not known. */
  readonly values: readonly (number | undefined)[];
}

interface Props {
  readonly title: string;
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** How many values the width stands for. */
  readonly width: number;
  /** The top of the scale where that is fixed. */
  readonly most?: number;
  /** The scale goes up by powers of two. */
  readonly isBytes?: boolean;
}

const HEIGHT = 64;
/** The steps of the scale: 1, 2, 5, 10, … so that it does not move with each value. */
const STEPS = [1, 2, 5, 10];

function niceTop(most: number, isBytes: boolean): number {
  if (most <= 1) return 1;
  if (isBytes) return 2 ** Math.ceil(Math.log2(most));
  const power = 10 ** Math.floor(Math.log10(most));
  return (STEPS.find((step) => step * power >= most) ?? 10) * power;
}

/** Lines over the last two minutes, with their newest values as text. */
export function Spark({ title, series, format, width, most, isBytes = false }: Props): JSX.Element {
  const [at, setAt] = useState<number | undefined>(undefined);
  const known = series.flatMap(({ values }) => values.filter((value) => value !== undefined));
  const top = most ?? niceTop(Math.max(0, ...known), isBytes);
  const last = (values: readonly (number | undefined)[]) => values.at(at === undefined ? -1 : at - width);
  const text = series.map(({ name, values }) => `${name} ${show(last(values), format)}`.trim()).join(", ");
  return (
    <figure class="spark">
      <figcaption>
        <span class="spark-title">{title}</span>
        <span class="spark-now">
          {series.map(({ name, values }, index) => (
            <span key={name} class={`spark-${index}`}>
              {name !== "" && <span class="spark-name">{name} </span>}
              {show(last(values), format)}
            </span>
          ))}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${width - 1} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${text}`}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          setAt(
            Math.max(
              0,
              Math.min(width - 1, Math.round(((event.clientX - box.left) / box.width) * (width - 1))),
            ),
          );
        }}
        onPointerLeave={() => setAt(undefined)}
      >
        {at !== undefined && <line class="spark-cursor" x1={at} x2={at} y1={0} y2={HEIGHT} />}
        {series.map(({ name, values }, index) => (
          <path key={name} class={`spark-line spark-line-${index}`} d={pathOf(values, width, top)} />
        ))}
      </svg>
      <div class="spark-axis" aria-hidden="true">
        <span>{at === undefined ? `${width} s ago` : `${width - 1 - at} s ago`}</span>
        <span>top {format(top)}</span>
        <span>now</span>
      </div>
    </figure>
  );
}

function show(value: number | undefined, format: (value: number) => string): string {
  return value === undefined ? "–" : format(value);
}

/** With a gap where a value is not known. */
function pathOf(values: readonly (number | undefined)[], width: number, top: number): string {
  const first = width - values.length;
  let isDrawing = false;
  let path = "";
  for (const [index, value] of values.entries()) {
    if (value === undefined) {
      isDrawing = false;
      continue;
    }
    const y = HEIGHT - 1 - (Math.min(value, top) / top) * (HEIGHT - 3);
    path += `${isDrawing ? "L" : "M"}${first + index} ${y.toFixed(1)}`;
    // A point alone is a line of no length.
    if (!isDrawing) path += "h0.01";
    isDrawing = true;
  }
  return path;
}
