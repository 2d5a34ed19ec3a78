// What `@kaya/engine/opentelemetry` gives: apart from the rest, since it needs the package @opentelemetry/api.
export { type InstrumentOptions, instrument } from "./instrument.js";
export type { MetricSource } from "./metric-stats.js";
