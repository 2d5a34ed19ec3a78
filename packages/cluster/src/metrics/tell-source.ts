import { channel } from "node:diagnostics_channel";
import { ENGINE_CHANNELS, type SourceStateMessage } from "@kaya/engine";
import type { MetricSource } from "@kaya/engine/prometheus";

// Kept here, because Node forgets a channel that nobody holds.
const sources = channel(ENGINE_CHANNELS.source);

/** Tells `instrument` of a node that was opened, or is closed. */
export function tellSource(source: MetricSource, state: SourceStateMessage["state"]): void {
  if (!sources.hasSubscribers) return;
  sources.publish({ dataDir: source.dataDir, state, source } satisfies SourceStateMessage);
}
