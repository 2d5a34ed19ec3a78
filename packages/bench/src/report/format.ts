import type { Spread } from "../statistics.js";

/** `1,234`, `12.3`, `0.42`: three digits, or all of a whole number. */
export function formatFigure(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  if (Math.abs(value) >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

/** `12.3x`, `0.42x`. */
export function formatRatio(value: number): string {
  return `${formatFigure(value)}x`;
}

export function formatSpread(spread: Spread, format: (value: number) => string = formatFigure): string {
  return `${format(spread.median)} (${format(spread.min)} to ${format(spread.max)})`;
}

/** `1.2M`, `45k`, `890`: for an axis or a bar. */
export function formatShort(value: number): string {
  if (value >= 999_500) return `${trim(value / 1_000_000)}M`;
  if (value >= 1000) return `${trim(value / 1000)}k`;
  return trim(value);
}

function trim(value: number): string {
  return value >= 99.95 ? `${Math.round(value)}` : value.toFixed(1).replace(/\.0$/, "");
}
