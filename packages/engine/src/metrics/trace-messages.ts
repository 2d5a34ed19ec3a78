import type { KayaError } from "@kaya/core";
import { type CompactionMessage, LSM_CHANNELS } from "@kaya/lsm";
import { WAL_CHANNELS, type WalFsyncMessage } from "@kaya/wal";
import {
  type Attributes,
  context,
  type HrTime,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { ENGINE_CHANNELS, type FlushMessage, type RecoveryMessage } from "../channels.js";
import type { Listeners } from "./listeners.js";

/** Something that ended, from which a span is made. */
interface Ended {
  readonly dataDir: string | undefined;
  readonly durationMs: number;
  readonly error?: KayaError;
}

interface SpanMaker {
  readonly tracer: Tracer;
  readonly attributesOf: (dataDir: string | undefined) => Attributes;
  /** An fsync of the log gets a span where it took at least so long, or failed. In milliseconds. */
  readonly slowFsyncMs: number;
}

/**
 * Spans are made when something has ended: then it is known whether it is worth one. An opening waits for its recovery, which is a child of the span
 * that is active there. Flushes, compactions and fsyncs work for many writers: they begin traces of their own, and flushes and compactions link to the span that is
 * active where they began. There are none of single writes: a message for each costs as much as the write.
 */
export function traceMessages(maker: SpanMaker, listeners: Listeners): void {
  listeners.on<RecoveryMessage>(ENGINE_CHANNELS.recovery, (message) => {
    if (message.phase === "started") return;
    const found = message.phase === "finished" ? message.result : undefined;
    makeSpan(maker, "recovery", message, "child", {
      "kaya.records": found?.recordCount,
      "kaya.last_lsn": found?.lastLsn,
      "kaya.warnings": found?.warnings.length,
      "kaya.dry_run": found?.dryRun,
    });
  });
  listeners.on<FlushMessage>(ENGINE_CHANNELS.flush, (message) => {
    if (message.phase === "started") return;
    const done = message.phase === "finished" ? message.result : undefined;
    makeSpan(maker, "flush", message, "linked", {
      "kaya.entries": done?.entries,
      "kaya.bytes": done?.bytes,
      "kaya.last_lsn": done?.lsn,
    });
  });
  listeners.on<CompactionMessage>(LSM_CHANNELS.compaction, (message) => {
    if (message.phase === "started") return;
    const done = message.phase === "finished" ? message.result : undefined;
    makeSpan(maker, "compaction", message, "linked", {
      "kaya.kind": message.kind,
      "kaya.level": message.level,
      "kaya.input_tables": message.inputTables,
      "kaya.input_bytes": message.inputBytes,
      "kaya.output_tables": done?.outputTables,
      "kaya.bytes": done?.bytes,
    });
  });
  listeners.on<WalFsyncMessage>(WAL_CHANNELS.fsync, (message) => {
    if (message.durationMs < maker.slowFsyncMs && message.error === undefined) return;
    makeSpan(maker, "fsync", message, "alone", { "kaya.segment": message.segmentId });
  });
}

function makeSpan(
  { tracer, attributesOf }: SpanMaker,
  operation: string,
  { dataDir, durationMs, error }: Ended,
  relation: "child" | "linked" | "alone",
  details: Attributes,
): void {
  const end = Date.now();
  const active = trace.getSpanContext(context.active());
  const span = tracer.startSpan(`kaya.${operation}`, {
    kind: SpanKind.INTERNAL,
    root: relation !== "child",
    links: relation === "linked" && active !== undefined ? [{ context: active }] : [],
    startTime: hrTime(end - durationMs),
    attributes: { ...attributesOf(dataDir), "db.operation.name": operation, ...details },
  });
  if (error !== undefined) {
    span.setAttribute("error.type", error.code);
    span.recordException(error, hrTime(end));
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  }
  span.end(hrTime(end));
}

/** A number might be taken for one of `performance.now()`. @param ms since 1970 */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
