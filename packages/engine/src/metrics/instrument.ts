import { checkCallback, describe, readOptions } from "@kaya/core";
import { type Attributes, type MeterProvider, metrics, type TracerProvider, trace } from "@opentelemetry/api";
import { ENGINE_CHANNELS, type EngineStateMessage, type SourceStateMessage } from "../channels.js";
import { invalid } from "../input.js";
import { Listeners } from "./listeners.js";
import { METRIC_ROWS } from "./metric-rows.js";
import type { MetricSource } from "./metric-stats.js";
import { ObservedStores } from "./observe-stores.js";
import { recordHistograms } from "./record-histograms.js";
import { nameOfStore } from "./stores.js";
import { traceMessages } from "./trace-messages.js";

const SCOPE = "@kaya/engine";
const SLOW_FSYNC_MS = 100;
const OPTIONS = ["engines", "storeName", "slowFsyncMs", "meterProvider", "tracerProvider"];

/** Which engines are measured, how they are named, and where metrics and traces go. */
export interface InstrumentOptions {
  /** Engines that are open already. Those that are opened later are found by themselves. */
  readonly engines?: readonly MetricSource[];
  /** What `db.namespace` says of a store. Default: the path of its directory, and `memory` where it has none; also where this throws. */
  readonly storeName?: (dataDir: string | undefined) => string;
  /** An fsync of the log that took at least so many milliseconds gets a span; one that failed always does. Default 100. */
  readonly slowFsyncMs?: number;
  /** Makes the meters. Default: the global provider, as it is when `instrument` is called. */
  readonly meterProvider?: MeterProvider;
  /** Makes the tracers. Default: the global provider, as it is when `instrument` is called. */
  readonly tracerProvider?: TracerProvider;
}

/**
 * Gives the metrics of all stores of this process to OpenTelemetry, and spans of recoveries, flushes, compactions and slow fsyncs. Call it
 * once, after the SDK of OpenTelemetry was started and before stores are opened.
 * @returns ends it
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function instrument(options?: InstrumentOptions): () => void {
  const given = readOptions(options, OPTIONS, "the options of instrument");
  const { engines = [], storeName = nameOfStore, slowFsyncMs = SLOW_FSYNC_MS } = given;
  checkCallback(storeName, "storeName");
  if (typeof slowFsyncMs !== "number" || !(slowFsyncMs >= 0))
    throw invalid(`slowFsyncMs must be a number of milliseconds >= 0, not ${describe(slowFsyncMs)}`);
  const attributesOf = namedOnce(storeName);
  const meter = (given.meterProvider ?? metrics.getMeterProvider()).getMeter(SCOPE);
  const tracer = (given.tracerProvider ?? trace.getTracerProvider()).getTracer(SCOPE);

  const stores = new ObservedStores(meter, attributesOf);
  const listeners = new Listeners();
  const add = (source: MetricSource): void => {
    const added = stores.observe(source.metrics ?? []);
    recordHistograms(added, meter, listeners, attributesOf);
    stores.add(source);
  };
  for (const engine of engines) add(engine);
  listeners.on<EngineStateMessage>(ENGINE_CHANNELS.state, ({ state, engine }) => {
    if (state === "open") stores.add(engine);
    else stores.remove(engine);
  });
  listeners.on<SourceStateMessage>(ENGINE_CHANNELS.source, ({ state, source }) => {
    if (state === "open") add(source);
    else stores.remove(source);
  });
  recordHistograms(METRIC_ROWS, meter, listeners, attributesOf);
  traceMessages({ tracer, attributesOf, slowFsyncMs }, listeners);
  return () => {
    listeners.stop();
    stores.stop();
  };
}

/** So many names are kept. The name of a store that is not among them is asked for again. */
const MOST_NAMES = 1000;

/** The attributes of each store, made once: a message comes with each fsync. */
function namedOnce(storeName: (dataDir: string | undefined) => string) {
  const known = new Map<string | undefined, Attributes>();
  return (dataDir: string | undefined): Attributes => {
    const found = known.get(dataDir);
    if (found !== undefined) return found;
    const attributes = { "db.system.name": "kaya", "db.namespace": nameBy(storeName, dataDir) };
    if (known.size === MOST_NAMES) known.clear();
    known.set(dataDir, attributes);
    return attributes;
  };
}

/** What a subscriber of a channel throws would end the process. */
function nameBy(storeName: (dataDir: string | undefined) => string, dataDir: string | undefined): string {
  try {
    return storeName(dataDir);
  } catch {
    return nameOfStore(dataDir);
  }
}
