import {
  encodeRecord,
  formatInspectionRow,
  formatInspectionWarning,
  isDamage,
  type SegmentLocation,
  type WalInspectionRow,
  type WalOperation,
  type WalRecord,
  type WalWarning,
} from "@kaya/wal";
import { jsonField, toHex, toJson } from "./bytes.js";
import { hexDump } from "./hex-dump.js";
import type { Colors, Output } from "./output.js";
import type { Match, RecordFilter } from "./record-filter.js";
import { displayBytes, escapeText } from "./text.js";

/** Writes an inspection while it is made: `begin`, each segment with its records and then its warnings, `end`. */
export interface InspectionPrinter {
  begin(): Promise<void> | undefined;
  segment(location: SegmentLocation): Promise<void> | undefined;
  /** @param record where the printer needs it */
  record(row: WalInspectionRow, record: WalRecord | undefined): Promise<void> | undefined;
  warnings(warnings: readonly WalWarning[]): Promise<void> | undefined;
  end(): Promise<void> | undefined;
}

/** Where lines go: an output, or a buffer. */
export interface LineSink {
  readonly colors: Colors;
  line(text: string): Promise<void> | undefined;
}

export interface PrintOptions {
  /** Says which operations of a record were asked for. */
  readonly filter: RecordFilter;
  /** Shows the bytes of each record, and those where the damage begins. */
  readonly hex: boolean;
}

/** What is shown of the bytes at a damage, whose end is not known. */
const DAMAGE_BYTES = 256;

/** A line a record, a line a warning; several segments each under a line of their own. */
export function linePrinter(
  out: LineSink,
  hasSeveralSegments: boolean,
  { filter, hex }: PrintOptions,
): InspectionPrinter {
  const { bold, red, yellow } = out.colors;
  const nothing = () => undefined;
  let current: SegmentLocation | undefined;
  let header: string | undefined;
  // Where records are left out, a segment of which nothing is shown is left out too.
  const heading = async () => {
    if (header !== undefined) await out.line(header);
    header = undefined;
  };
  const dump = async (bytes: Uint8Array, offset: number) => {
    for (const text of hexDump(bytes, offset)) await out.line(`  ${text}`);
  };
  const details = async (row: WalInspectionRow, record: WalRecord | undefined) => {
    await heading();
    const matches = record === undefined ? [] : filter.matches(record);
    const [only] = row.type === "BATCH" ? [] : matches;
    await out.line(formatInspectionRow(row) + (only === undefined ? "" : ` ${keysText(only)}`));
    if (row.type === "BATCH") {
      for (const match of matches) await out.line(`  ${operationText(match)}`);
    }
    if (hex && record !== undefined) await dump(encodeRecord(record), row.offset);
  };
  return {
    begin: nothing,
    segment: (location) => {
      current = location;
      const { name, length } = location;
      header = hasSeveralSegments ? bold(`segment=${escapeText(name)} bytes=${length}`) : undefined;
      return filter.acceptsAll ? heading() : undefined;
    },
    record: (row, record) =>
      hex || !filter.acceptsAll ? details(row, record) : out.line(formatInspectionRow(row)),
    warnings: async (warnings) => {
      if (warnings.length > 0) await heading();
      for (const warning of warnings) {
        const color = isDamage(warning) ? red : yellow;
        await out.line(color(escapeText(formatInspectionWarning(warning))));
        if (!hex || current === undefined || !("offset" in warning)) continue;
        await dump(await readBytes(current, warning.offset, DAMAGE_BYTES), warning.offset);
      }
    },
    end: nothing,
  };
}

function keysText({ operation }: Match): string {
  if (operation.type !== "deleteRange") return `key=${keyText(operation.key)}`;
  const { start, end } = operation;
  return `start=${keyText(start)}${end === undefined ? "" : ` end=${keyText(end)}`}`;
}

function keyText(key: Uint8Array): string {
  const text = displayBytes(key);
  return text === "" || /[\s="]/.test(text) ? JSON.stringify(text) : text;
}

/** As rows name the types of records. */
function typeName(operation: WalOperation): string {
  if (operation.type === "deleteRange") return "DELETE_RANGE";
  if (operation.type === "put" && operation.expiresAt !== undefined) return "PUT_EXPIRING";
  return operation.type.toUpperCase();
}

function operationText(match: Match): string {
  const { index, operation } = match;
  const head = `operation=${index} type=${typeName(operation)} ${keysText(match)}`;
  if (operation.type !== "put") return head;
  const { value, expiresAt } = operation;
  return `${head} value_len=${value.length}${expiresAt === undefined ? "" : ` expires_at=${expiresAt}`}`;
}

/** At most `length` bytes of a segment. */
export async function readBytes(
  { disk, path }: SegmentLocation,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const file = await disk.open(path, { readOnly: true });
  try {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, await file.readAt(offset, bytes));
  } finally {
    await file.close();
  }
}

/** One document, as `WalInspection`; a row has what was asked for besides: `key` or `matches`, and `hex`. */
export function jsonPrinter(out: Output, { filter, hex }: PrintOptions): InspectionPrinter {
  let segments = 0;
  let rows = 0;
  return {
    begin: () => out.write('{"segments":['),
    segment: ({ name, length }) => {
      rows = 0;
      const comma = segments++ > 0 ? "," : "";
      return out.write(`${comma}{"segment":${toJson(name)},"bytes":${length},"rows":[`);
    },
    record: (row, record) => {
      const shown =
        record === undefined
          ? row
          : {
              ...row,
              ...matchFields(filter.matches(record), row.type === "BATCH"),
              ...(hex && { hex: toHex(encodeRecord(record)) }),
            };
      return out.write((rows++ > 0 ? "," : "") + toJson(shown));
    },
    warnings: (warnings) => out.write(`],"warnings":${toJson(warnings)}}`),
    end: () => out.line("]}"),
  };
}

function matchFields(matches: readonly Match[], isBatch: boolean): object {
  const [first] = matches;
  if (first === undefined) return {};
  if (!isBatch) return keyFields(first.operation);
  return {
    matches: matches.map(({ index, operation }) => ({
      operation: index,
      type: typeName(operation),
      ...keyFields(operation),
      ...(operation.type === "put" && valueFields(operation)),
    })),
  };
}

function valueFields({ value, expiresAt }: Extract<WalOperation, { readonly type: "put" }>): object {
  return { valueLength: value.length, ...(expiresAt !== undefined && { expiresAt }) };
}

function keyFields(operation: WalOperation): object {
  if (operation.type !== "deleteRange") return jsonField("key", operation.key);
  const { start, end } = operation;
  return { ...jsonField("start", start), ...(end !== undefined && jsonField("end", end)) };
}
