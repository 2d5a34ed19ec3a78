import type { Attributes, Meter, Observable } from "@opentelemetry/api";
import type { MetricRow, ValueRow } from "./metric-row.js";
import { METRIC_ROWS } from "./metric-rows.js";
import type { MetricSource, MetricStats } from "./metric-stats.js";
import { samplesOf } from "./samples.js";

/** A program that opens stores without end is told of the last ones that it closed. */
const MOST_CLOSED = 100;

/** Asks each store for its statistics once a collection, and gives what the rows read of them. */
export class ObservedStores {
  readonly #stores = new Set<MetricSource>();
  /** Directories of closed stores: an SDK goes on giving the last value of what is no longer observed. */
  readonly #closed = new Set<string | undefined>();
  readonly #meter: Meter;
  readonly #attributesOf: (dataDir: string | undefined) => Attributes;
  readonly #observed = new Set<MetricRow>();
  readonly #stops: (() => void)[] = [];

  constructor(meter: Meter, attributesOf: (dataDir: string | undefined) => Attributes) {
    this.#meter = meter;
    this.#attributesOf = attributesOf;
    this.observe(METRIC_ROWS);
  }

  /** Observes these metrics, too. @returns those that were not observed yet */
  observe(rows: readonly MetricRow[]): readonly MetricRow[] {
    const added = rows.filter((row) => !this.#observed.has(row));
    for (const row of added) this.#observed.add(row);
    const values = added.filter((row) => row.kind !== "histogram");
    if (values.length > 0) this.#observeValues(values);
    return added;
  }

  #observeValues(rows: readonly ValueRow[]): void {
    const meter = this.#meter;
    const instruments = rows.map((row) => ({ row, observable: observableOf(meter, row) }));
    const observables = instruments.map(({ observable }) => observable);
    const observe: Parameters<Meter["addBatchObservableCallback"]>[0] = (result) => {
      for (const [dataDir, stats] of this.#stats()) {
        const ofStore = this.#attributesOf(dataDir);
        for (const { row, observable } of instruments) {
          for (const [value, labels] of samplesOf(row, stats))
            result.observe(observable, value as number, { ...ofStore, ...prefixed(labels) });
        }
      }
    };
    meter.addBatchObservableCallback(observe, observables);
    this.#stops.push(() => meter.removeBatchObservableCallback(observe, observables));
  }

  add(store: MetricSource): void {
    this.#stores.add(store);
    this.#closed.delete(store.dataDir);
  }

  remove(store: MetricSource): void {
    this.#stores.delete(store);
    const isOpenTwice = [...this.#stores].some(({ dataDir }) => dataDir === store.dataDir);
    if (isOpenTwice) return;
    this.#closed.add(store.dataDir);
    for (const oldest of this.#closed) {
      if (this.#closed.size <= MOST_CLOSED) break;
      this.#closed.delete(oldest);
    }
  }

  *#stats(): Generator<[dataDir: string | undefined, stats: MetricStats]> {
    for (const dataDir of this.#closed) yield [dataDir, { state: "closed" }];
    for (const store of this.#stores) yield [store.dataDir, store.stats()];
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.#stores.clear();
  }
}

function observableOf(meter: Meter, { name, kind, unit, help }: ValueRow): Observable {
  const options = { unit, description: help };
  switch (kind) {
    case "counter":
      return meter.createObservableCounter(name, options);
    case "updowncounter":
      return meter.createObservableUpDownCounter(name, options);
    case "gauge":
      return meter.createObservableGauge(name, options);
  }
}

/** Attributes of OpenTelemetry have a namespace. */
function prefixed(labels: Readonly<Record<string, string>> = {}): Attributes {
  return Object.fromEntries(Object.entries(labels).map(([label, text]) => [`kaya.${label}`, text]));
}
