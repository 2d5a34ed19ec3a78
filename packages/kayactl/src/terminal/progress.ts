import type { RecoveryProgress } from "@kaya/engine";
import { formatBytes, formatDuration } from "../units.js";
import { shownAs } from "./progress-line.js";

/** How far the reading of the log behind the tables is. */
export const recoveryProgress = shownAs(describeProgress);

function describeProgress({ bytes, totalBytes }: RecoveryProgress, elapsedMs: number): string {
  const share = totalBytes === 0 ? 1 : Math.min(1, bytes / totalBytes);
  const rate = bytes / (elapsedMs / 1000);
  const left = rate > 0 ? formatDuration(Math.ceil(Math.max(0, totalBytes - bytes) / rate) * 1000) : "?";
  return (
    `reading the log: ${String(Math.floor(share * 100)).padStart(3)}%, ` +
    `${formatBytes(bytes)} of ${formatBytes(totalBytes)}, ${formatBytes(Math.round(rate))}/s, ${left.replace(".0 s", " s")} left`
  );
}
