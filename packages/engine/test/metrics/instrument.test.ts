import { channel } from "node:diagnostics_channel";
import { KayaError } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { WAL_CHANNELS, type WalFsyncMessage } from "@kaya/wal";
import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ENGINE_CHANNELS, Engine } from "../../src/index.js";
import type { MetricRow } from "../../src/metrics/metric-row.js";
import { METRIC_ROWS } from "../../src/metrics/metric-rows.js";
import { type InstrumentOptions, instrument } from "../../src/metrics/opentelemetry.js";
import { prometheusText } from "../../src/metrics/prometheus.js";
import { prometheusName } from "../../src/metrics/prometheus-text.js";
import { InterceptedDisk } from "../support/intercepted-disk.js";
import { parse, valueIn } from "./parsed.js";

const CONFIG = { tables: { autoFlush: false } };

/** An SDK that keeps what it is given. */
class Collected {
  readonly #metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  readonly #spans = new InMemorySpanExporter();
  readonly #reader = new PeriodicExportingMetricReader({
    exporter: this.#metrics,
    exportIntervalMillis: 3_600_000,
  });
  readonly meterProvider = new MeterProvider({ readers: [this.#reader] });
  readonly tracerProvider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(this.#spans)],
  });

  async metrics(): Promise<Map<string, MetricData>> {
    this.#metrics.reset();
    await this.#reader.forceFlush();
    const scopes = this.#metrics.getMetrics().at(-1)?.scopeMetrics ?? [];
    return new Map(scopes.flatMap(({ metrics }) => metrics).map((each) => [each.descriptor.name, each]));
  }

  get spans(): ReadableSpan[] {
    return this.#spans.getFinishedSpans();
  }

  spansOf(name: string): ReadableSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  shutdown = () => Promise.all([this.meterProvider.shutdown(), this.tracerProvider.shutdown()]);
}

/** The values of a metric, by what follows the store in its attributes. */
function valuesOf(metric: MetricData | undefined): Record<string, number> {
  if (metric === undefined || metric.dataPointType === DataPointType.HISTOGRAM) return {};
  return Object.fromEntries(
    metric.dataPoints.map(({ value, attributes }) => {
      const own = Object.entries(attributes).filter(([name]) => name.startsWith("kaya."));
      return [own.map(([, text]) => text).join(), value as number];
    }),
  );
}

let collected: Collected;
let stop: () => void = () => undefined;
const begin = (options: InstrumentOptions = {}) => {
  const { meterProvider, tracerProvider } = collected;
  stop = instrument({ meterProvider, tracerProvider, storeName: () => "main", ...options });
};

beforeEach(() => {
  collected = new Collected();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});

afterEach(async () => {
  stop();
  context.disable();
  await collected.shutdown();
});

describe("metrics for OpenTelemetry", () => {
  it("are those of the table, with their kinds and units", async () => {
    begin();
    const engine = await Engine.open(CONFIG, new SimDisk());
    await engine.put("a", "1");
    await engine.flush();
    const metrics = await collected.metrics();
    const expected = METRIC_ROWS.filter(({ name }) => name !== "kaya.in_use"); // told from outside only
    expect([...metrics.keys()].sort()).toEqual(expected.map(({ name }) => name).sort());
    for (const { name, unit, help } of expected)
      expect(metrics.get(name)?.descriptor).toMatchObject({ unit, description: help });
    expect(valuesOf(metrics.get("kaya.wal.appends"))).toEqual({ strict: 1, relaxed: 0 });
    expect(valuesOf(metrics.get("kaya.tables"))).toEqual({ 0: 1 });
    const [point] = metrics.get("kaya.up")?.dataPoints ?? [];
    expect(point?.attributes).toEqual({ "db.system.name": "kaya", "db.namespace": "main" });
    await engine.close();
  });

  it("have the same values as the text for Prometheus", async () => {
    begin();
    const engine = await Engine.open(CONFIG, new SimDisk());
    await Promise.all(Array.from({ length: 20 }, (_, i) => engine.put(`${i}`, "x".repeat(i * 100))));
    await engine.put("relaxed", "x", { durability: "relaxed" });
    await engine.flush();
    await engine.get("1");
    const metrics = await collected.metrics();
    const text = prometheusText({ main: engine });
    const families = parse(text);
    for (const row of METRIC_ROWS) {
      const metric = metrics.get(row.name);
      const name = prometheusName(row);
      if (metric?.dataPointType === DataPointType.HISTOGRAM) {
        const [{ value } = { value: undefined }] = metric.dataPoints;
        const buckets = families.get(name)?.metrics[0]?.buckets ?? {};
        const counts = value?.buckets.counts ?? [];
        const cumulative = counts.map((_, i) => `${counts.slice(0, i + 1).reduce((sum, n) => sum + n, 0)}`);
        expect(cumulative, name).toEqual(Object.values(buckets));
        expect(value?.buckets.boundaries.length, name).toBe(Object.keys(buckets).length - 1);
        continue;
      }
      const label = families
        .get(name)
        ?.metrics.map(({ labels: { store, ...own } = {} }) => Object.keys(own)[0]);
      for (const [of, value] of Object.entries(valuesOf(metric)))
        expect(valueIn(families, name, label?.[0] === undefined ? {} : { [label[0]]: of }), name).toBe(value);
    }
    await engine.close();
  });

  it("are of engines that were open before, too, and of each until it is closed", async () => {
    const before = await Engine.open(CONFIG, new SimDisk());
    begin({ engines: [before] });
    const up = async () => valuesOf((await collected.metrics()).get("kaya.up"));
    expect(await up()).toEqual({ "": 1 });
    await before.close();
    expect(await up()).toEqual({ "": 0 });
    const after = await Engine.open(CONFIG, new SimDisk());
    expect(await up()).toEqual({ "": 1 });
    const twin = await Engine.open(CONFIG, new SimDisk());
    await after.close();
    expect(await up()).toEqual({ "": 1 });
    await twin.close();
    expect(await up()).toEqual({ "": 0 });
  });

  it("are of sources that have metrics of their own, from the message of their opening on", async () => {
    const engine = await Engine.open(CONFIG, new SimDisk());
    const told = channel("kaya:test:told");
    const rows: MetricRow[] = [
      { name: "kaya.test.lsn", kind: "gauge", unit: "{record}", help: "", read: ({ lastLsn }) => lastLsn },
      {
        name: "kaya.test.took",
        kind: "histogram",
        unit: "s",
        help: "",
        bounds: [1, 2],
        read: () => undefined,
        channel: told.name as string,
        ofMessage: (message) => (message as { seconds: number }).seconds,
      },
    ];
    const source = { dataDir: "/srv/node", stats: () => engine.stats(), metrics: rows };
    const tell = (state: "open" | "closed", each = source) =>
      channel(ENGINE_CHANNELS.source).publish({ dataDir: each.dataDir, state, source: each });
    begin();
    for (const each of [source, { ...source, dataDir: "/srv/other" }]) tell("open", each);
    told.publish({ dataDir: "/srv/node", seconds: 1.5 });
    await engine.put("a", "1");
    const metrics = await collected.metrics();
    expect(valuesOf(metrics.get("kaya.test.lsn"))).toEqual({ "": 1 });
    const [took] = metrics.get("kaya.test.took")?.dataPoints ?? [];
    expect(took?.value).toMatchObject({ count: 1, buckets: { counts: [0, 1, 0] } });
    tell("closed");
    stop();
    expect(told.hasSubscribers).toBe(false);
    await engine.close();
  });

  it("are of the last stores that were closed, where a program opens stores without end", async () => {
    begin({ storeName: String });
    for (let n = 0; n < 150; n++) {
      const engine = { dataDir: `/store ${n}` };
      for (const state of ["open", "closed"])
        channel(ENGINE_CHANNELS.state).publish({ dataDir: engine.dataDir, state, engine });
    }
    const points = (await collected.metrics()).get("kaya.up")?.dataPoints ?? [];
    const names = points.map(({ attributes }) => attributes["db.namespace"]);
    expect(names).toHaveLength(100);
    expect(names).toContain("/store 149");
    expect(names).not.toContain("/store 49");
  });

  it("have the directory for a name where `storeName` throws", async () => {
    begin({
      storeName: () => {
        throw new Error("no name");
      },
    });
    const engine = await Engine.open(CONFIG, new SimDisk());
    const [point] = (await collected.metrics()).get("kaya.up")?.dataPoints ?? [];
    expect(point?.attributes["db.namespace"]).toBe("memory");
    await engine.close();
  });

  it("end with what `instrument` returned, and so do the messages", async () => {
    begin();
    const engine = await Engine.open(CONFIG, new SimDisk());
    expect(channel(WAL_CHANNELS.fsync).hasSubscribers).toBe(true);
    // One for each relaxed write would cost as much as the write.
    expect(channel(WAL_CHANNELS.commit).hasSubscribers).toBe(false);
    stop();
    stop();
    expect(channel(WAL_CHANNELS.fsync).hasSubscribers).toBe(false);
    expect(valuesOf((await collected.metrics()).get("kaya.up"))).toEqual({});
    await engine.close();
  });

  it("refuse options that would be ignored", () => {
    const refuse = (options: object) => () => instrument(options as InstrumentOptions);
    expect(refuse({ name: "x" })).toThrow(/unknown option name in the options of instrument/);
    expect(refuse({ slowFsyncMs: "1" })).toThrow(/slowFsyncMs must be a number of milliseconds >= 0/);
    expect(refuse({ storeName: "x" })).toThrow(/storeName must be a function/);
  });
});

describe("spans for OpenTelemetry", () => {
  it("show a recovery below the span in which the store is opened", async () => {
    begin();
    const disk = new SimDisk();
    const first = await Engine.open(CONFIG, disk);
    await first.put("a", "1");
    await first.close();
    const tracer = collected.tracerProvider.getTracer("test");
    await tracer.startActiveSpan("start of the program", async (span) => {
      await (await Engine.open(CONFIG, disk)).close();
      span.end();
    });
    const [parent] = collected.spansOf("start of the program");
    const recovery = collected.spansOf("kaya.recovery").at(-1);
    expect(recovery?.parentSpanContext?.spanId).toBe(parent?.spanContext().spanId);
    expect(recovery?.attributes).toMatchObject({
      "db.system.name": "kaya",
      "db.namespace": "main",
      "db.operation.name": "recovery",
      "kaya.records": 1,
      "kaya.last_lsn": 1,
    });
    const nanoseconds = ([seconds, rest]: readonly [number, number]) => seconds * 1e9 + rest;
    expect(nanoseconds(recovery?.startTime ?? [0, 0])).toBeGreaterThanOrEqual(
      nanoseconds(parent?.startTime ?? [0, 0]) - 2e6,
    );
  });

  it("show flushes and compactions in traces of their own, with a link to what is active", async () => {
    begin();
    const engine = await Engine.open(CONFIG, new SimDisk());
    const tracer = collected.tracerProvider.getTracer("test");
    await tracer.startActiveSpan("request", async (span) => {
      for (let i = 0; i < 2; i++) {
        await engine.put("a", `${i}`);
        await engine.flush();
      }
      await engine.compact();
      span.end();
    });
    await engine.close();
    const [request] = collected.spansOf("request");
    const [flush] = collected.spansOf("kaya.flush");
    expect(flush?.parentSpanContext).toBeUndefined();
    expect(flush?.links[0]?.context.spanId).toBe(request?.spanContext().spanId);
    expect(flush?.attributes).toMatchObject({ "kaya.entries": 1, "kaya.last_lsn": 1 });
    const [compaction] = collected.spansOf("kaya.compaction");
    expect(compaction?.attributes).toMatchObject({ "kaya.kind": "merge", "kaya.input_tables": 2 });
  });

  it("show a failed flush with its code and message", async () => {
    const disk = new InterceptedDisk(new SimDisk(), ({ kind, path }) =>
      kind === "append" && path.startsWith("sst/")
        ? Promise.reject(new KayaError("KAYA_DISK_FULL", "no space left"))
        : undefined,
    );
    begin();
    const engine = await Engine.open(CONFIG, disk);
    await engine.put("a", "1");
    await expect(engine.flush()).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    const [flush] = collected.spansOf("kaya.flush");
    expect(flush?.status).toEqual({ code: SpanStatusCode.ERROR, message: "no space left" });
    expect(flush?.attributes["error.type"]).toBe("KAYA_DISK_FULL");
    expect(flush?.events[0]?.name).toBe("exception");
    await engine.close();
  });

  it("show fsyncs only where they are slow, or failed", () => {
    begin({ slowFsyncMs: 50 });
    const fsync = (durationMs: number, error?: KayaError) =>
      channel(WAL_CHANNELS.fsync).publish({
        dataDir: undefined,
        segmentId: 7,
        durationMs,
        ...(error && { error }),
      } satisfies WalFsyncMessage);
    fsync(49);
    expect(collected.spans).toEqual([]);
    fsync(50);
    fsync(1, new KayaError("KAYA_FSYNC_FAILED", "the disk said no"));
    const [slow, failed] = collected.spansOf("kaya.fsync");
    expect(slow?.attributes).toMatchObject({ "db.operation.name": "fsync", "kaya.segment": 7 });
    expect(slow?.duration).toEqual([0, 50_000_000]);
    expect(failed?.attributes["error.type"]).toBe("KAYA_FSYNC_FAILED");
  });

  it("use the global providers where none are given", async () => {
    trace.setGlobalTracerProvider(collected.tracerProvider);
    stop = instrument();
    await (await Engine.open(CONFIG, new SimDisk())).close();
    expect(collected.spansOf("kaya.recovery")[0]?.attributes["db.namespace"]).toBe("memory");
    trace.disable();
  });
});
