import type { Attributes, Meter } from "@opentelemetry/api";
import type { Listeners } from "./listeners.js";
import type { MetricRow } from "./metric-row.js";

/** Records what messages tell: OpenTelemetry takes no histogram that was counted by somebody else. */
export function recordHistograms(
  rows: readonly MetricRow[],
  meter: Meter,
  listeners: Listeners,
  attributesOf: (dataDir: string | undefined) => Attributes,
): void {
  for (const row of rows) {
    if (row.kind !== "histogram") continue;
    const { name, unit, help, bounds, channel, ofMessage } = row;
    const advice = { explicitBucketBoundaries: [...bounds] };
    const histogram = meter.createHistogram(name, { unit, description: help, advice });
    listeners.on<{ readonly dataDir: string | undefined }>(channel, (message) => {
      const value = ofMessage(message);
      if (value !== undefined) histogram.record(value, attributesOf(message.dataDir));
    });
  }
}
