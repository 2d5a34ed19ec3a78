import type { LogPosition } from "@kaya/core";
import type { TableMeta } from "@kaya/lsm";
import { LogHistory } from "@kaya/wal";
import type { BlobOptions, BlobStore } from "../blob-store.js";
import { FactReader } from "./facts.js";
import { damagedObject, openSealedObject, sealObject } from "./sealed-object.js";
import type { TableObject } from "./table-object.js";

const FORMAT = "kaya base 1";

/** The state of a store at one record, as tables in a blob store. */
export interface Base {
  /** The last record and the last operation that the tables contain. */
  readonly covered: LogPosition;
  /** The identity of the log that the tables cover. */
  readonly history: LogHistory;
  /** All table ids in use are below this one. */
  readonly nextTableId: number;
  /** All tables. */
  readonly tables: readonly TableObject[];
  /** When it was made, in milliseconds since 1970, by the clock of the machine that made it. */
  readonly time: number;
  /** The epoch of the writer that made it; 0 outside a cluster. */
  readonly epoch: number;
}

/** Encodes the object that names the tables of a base. Store it only when all of its tables are durable. */
export function encodeBase(base: Base): Uint8Array {
  const { covered, history, tables, ...facts } = base;
  return sealObject(FORMAT, {
    ...facts,
    ...covered,
    history: history.toText(),
    tables: tables.map(({ meta, ...table }) => ({ ...table, ...encodeMeta(meta) })),
  });
}

/** Reads a base. @throws KayaError KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION, KAYA_NOT_FOUND, KAYA_IO */
export async function readBase(store: BlobStore, name: string, options?: BlobOptions): Promise<Base> {
  const { facts } = await openSealedObject(store, name, FORMAT, options);
  const refuse = (why: string) => damagedObject(store.name, name, 0, why);
  const reader = new FactReader(facts, refuse);
  const history = LogHistory.parse(reader.text("history"));
  if (history === undefined) throw refuse("history is not the history of a log");
  return {
    covered: { lsn: reader.number("lsn"), sequence: reader.number("sequence") },
    history,
    nextTableId: reader.number("nextTableId"),
    tables: reader.list("tables").map(decodeTable),
    time: reader.number("time"),
    epoch: reader.number("epoch"),
  };
}

const NUMBERS = [
  "id",
  "fileBytes",
  "footerCrc",
  "entries",
  "tombstones",
  "rangeTombstones",
  "rawBytes",
  "smallestSequence",
  "largestSequence",
] as const;

function encodeMeta(meta: TableMeta): object {
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, meta[name]]));
  const { start, end } = meta;
  return { ...numbers, start: toBase64(start), ...(end !== undefined && { end: toBase64(end) }) };
}

function decodeTable(reader: FactReader): TableObject {
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, reader.number(name)]));
  const end = reader.optionalText("end") === undefined ? undefined : reader.bytes("end");
  return {
    object: reader.text("object"),
    crc32c: reader.number("crc32c"),
    level: reader.number("level"),
    meta: { ...numbers, start: reader.bytes("start"), end } as TableMeta,
  };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
