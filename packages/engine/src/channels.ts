import { type Channel, channel } from "node:diagnostics_channel";
import { asKayaError, type KayaError } from "@kaya/core";
import type { Engine } from "./engine.js";
import type { MetricSource } from "./metrics/metric-stats.js";
import type { RecoveryReport } from "./recover.js";
import type { FlushResult } from "./store/flusher.js";

/**
 * Names of the `node:diagnostics_channel`s on which an engine tells what it does. Those of its log are
 * `WAL_CHANNELS`, those of its tables `LSM_CHANNELS`.
 */
export const ENGINE_CHANNELS = {
  /** A flush began, ended, or failed. Messages are `FlushMessage`s. */
  flush: "kaya:engine:flush",
  /** Recovery began, at an opening or by `recover`, ended, or refused. Messages are `RecoveryMessage`s. */
  recovery: "kaya:engine:recovery",
  /** An engine was opened, or is closed. Messages are `EngineStateMessage`s. */
  state: "kaya:engine:state",
  /** Something with metrics beside those of an engine was opened, or is closed: a node of a cluster. Messages are `SourceStateMessage`s. */
  source: "kaya:engine:source",
} as const;

/** A message of the channel `kaya:engine:state`: an engine was opened or closed. */
export interface EngineStateMessage {
  /** The absolute path of the data directory; undefined for a disk that has none. */
  readonly dataDir: string | undefined;
  /** `open` once the engine is open, `closed` once it is closed. */
  readonly state: "open" | "closed";
  /** The engine itself, for its `stats`. */
  readonly engine: Engine;
}

/** A message of the channel `kaya:engine:source`: something that has metrics of its own was opened or closed. */
export interface SourceStateMessage {
  /** The absolute path of the data directory; undefined for a disk that has none. */
  readonly dataDir: string | undefined;
  /** `open` once it is open, `closed` once it is closed. */
  readonly state: "open" | "closed";
  /** What is asked for its statistics. */
  readonly source: MetricSource;
}

/** A message about work that takes time: one when it begins, and one when it ends. */
export type PhaseMessage<T> = {
  /** The absolute path of the data directory; undefined for a disk that has none. */
  readonly dataDir: string | undefined;
} & (
  | { readonly phase: "started" }
  | { readonly phase: "finished"; readonly durationMs: number; readonly result: T }
  | { readonly phase: "failed"; readonly durationMs: number; readonly error: KayaError }
);

/** A message of the channel `kaya:engine:flush`. */
export type FlushMessage = PhaseMessage<FlushResult>;
/** A message of the channel `kaya:engine:recovery`. */
export type RecoveryMessage = PhaseMessage<RecoveryReport>;

// Kept here, because Node forgets a channel that nobody holds.
const flushChannel = channel(ENGINE_CHANNELS.flush);
const recoveryChannel = channel(ENGINE_CHANNELS.recovery);
const stateChannel = channel(ENGINE_CHANNELS.state);

export function tellFlush(
  dataDir: string | undefined,
  run: () => Promise<FlushResult>,
): Promise<FlushResult> {
  return tell<FlushResult, FlushResult>(flushChannel, dataDir, run, (result) => result);
}

export function tellRecovery<T extends { readonly report: RecoveryReport }>(
  dataDir: string | undefined,
  run: () => Promise<T>,
): Promise<T> {
  return tell<T, RecoveryReport>(recoveryChannel, dataDir, run, ({ report }) => report);
}

export function tellState(engine: Engine, state: EngineStateMessage["state"]): void {
  if (!stateChannel.hasSubscribers) return;
  stateChannel.publish({ dataDir: engine.dataDir, state, engine } satisfies EngineStateMessage);
}

async function tell<T, R>(
  to: Channel,
  dataDir: string | undefined,
  run: () => Promise<T>,
  resultOf: (outcome: T) => R,
): Promise<T> {
  const publish = (message: () => PhaseMessage<R>): void => {
    if (to.hasSubscribers) to.publish(message());
  };
  const started = performance.now();
  const durationMs = () => performance.now() - started;
  publish(() => ({ dataDir, phase: "started" }));
  try {
    const outcome = await run();
    publish(() => ({ dataDir, phase: "finished", durationMs: durationMs(), result: resultOf(outcome) }));
    return outcome;
  } catch (error) {
    publish(() => ({
      dataDir,
      phase: "failed",
      durationMs: durationMs(),
      error: asKayaError(error, to.name.toString()),
    }));
    throw error;
  }
}
