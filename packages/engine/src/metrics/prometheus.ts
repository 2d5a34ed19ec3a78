// What `@kaya/engine/prometheus` gives.
export type {
  Counted,
  HistogramRow,
  MetricDescription,
  MetricRow,
  Sample,
  ValueRow,
} from "./metric-row.js";
export type { MetricSource, MetricStats } from "./metric-stats.js";
export {
  type MetricsRequest,
  type MetricsServerResponse,
  metricsHandler,
  metricsResponse,
  type ServedStores,
} from "./metrics-handler.js";
export { type MetricsFormat, prometheusText } from "./prometheus-text.js";
export type { MetricStores } from "./stores.js";
