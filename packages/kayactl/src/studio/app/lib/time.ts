import { signal } from "@preact/signals";

/** Moves once a second, for times that count down. */
export const now = signal(Date.now());
setInterval(() => {
  now.value = Date.now();
}, 1000);

const STEPS = [
  ["day", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
] as const;

/** `2 days 3 h`, `4 min 10 s`, `12 s`: the two largest units. */
export function roughDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000)) * 1000;
  const first = STEPS.findIndex(([, length]) => seconds >= length);
  if (first === -1) return "0 s";
  const parts: string[] = [];
  let rest = seconds;
  for (const [unit, length] of STEPS.slice(first, first + 2)) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(`${count} ${unit === "day" && count > 1 ? "days" : unit}`);
  }
  return parts.join(" ");
}

/** The latest time of a `Date`. */
const LATEST_DATE = 8.64e15;

/** `2026-11-29 05:41:05`, in the time zone of whoever looks. */
export function localTime(ms: number): string {
  if (Math.abs(ms) > LATEST_DATE) return `${ms} ms after 1970 begins`;
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${clockTime(ms)}`;
}

/** `05:41:05`. */
export function clockTime(ms: number): string {
  const date = new Date(ms);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}
