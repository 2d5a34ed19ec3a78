import { channel } from "node:diagnostics_channel";
import { ENGINE_CHANNELS, type SourceStateMessage } from "@kaya/engine";
import type { MetricSource } from "@kaya/engine/prometheus";

// The reference stays here because Node.js drops a channel without references.
const sources = channel(ENGINE_CHANNELS.source);

/** Announces to `instrument` that a node was opened or is closed. */
export function tellSource(source: MetricSource, state: SourceStateMessage["state"]): void {
  if (!sources.hasSubscribers) return;
  sources.publish({ dataDir: source.dataDir, state, source } satisfies SourceStateMessage);
}
