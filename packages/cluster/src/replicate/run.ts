import type { LogPosition, Lsn } from "@kaya/core";
import { LogHistory } from "@kaya/wal";
import type { BlobOptions, BlobStore } from "../blob-store.js";
import { FactReader } from "../shipment/facts.js";
import { damagedObject, openSealedObject, sealObject } from "../shipment/sealed-object.js";
import { runObject } from "./replica-names.js";

const FORMAT = "kaya replica run 1";

/** The last shipped record of a run. Its checksum distinguishes it from another record with the same LSN. */
export interface ShippedPosition extends LogPosition {
  /** CRC-32C of the last record; undefined if no record was shipped yet, only tables. */
  readonly recordCrc: number | undefined;
}

/** One run: the work of one process that ships. */
export interface Run {
  /** The name of the run. Names sort in the order in which the runs began. */
  readonly run: string;
  /** The first run of its generation. The runs of a generation continue each other without a gap. */
  readonly generation: string;
  /** The identity of the log when the run began. */
  readonly history: LogHistory;
  /** The run whose records come before those of this one, up to `lsn`; undefined: this run begins a generation. */
  readonly continues: { readonly run: string; readonly lsn: Lsn } | undefined;
  /** When it began, in milliseconds since 1970. */
  readonly time: number;
  /** Host, process id and directory, for people. */
  readonly by: string;
}

export function encodeRun({ history, ...facts }: Run): Uint8Array {
  return sealObject(FORMAT, { ...facts, history: history.toText() });
}

/** @throws KayaError KAYA_CORRUPTION, KAYA_NOT_FOUND, KAYA_UNSUPPORTED_VERSION, KAYA_IO */
export async function readRun(store: BlobStore, run: string, options?: BlobOptions): Promise<Run> {
  const name = runObject(run);
  const { facts } = await openSealedObject(store, name, FORMAT, options);
  const refuse = (why: string) => damagedObject(store.name, name, 0, why);
  const reader = new FactReader(facts, refuse);
  const history = LogHistory.parse(reader.text("history"));
  if (history === undefined) throw refuse("history is not the history of a log");
  const before = reader.object("continues");
  return {
    run,
    generation: reader.text("generation"),
    history,
    continues: before && { run: before.text("run"), lsn: before.number("lsn") },
    time: reader.number("time"),
    by: reader.text("by"),
  };
}
