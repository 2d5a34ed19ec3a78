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
import { jsonField, toHex, toJson } from "../bytes.js";
import type { Colors, Output } from "../terminal/output.js";
import { clip, displayBytes, escapeText, textWidth } from "../terminal/text.js";
import { plural } from "../units.js";
import { hexDump } from "./hex-dump.js";
import type { Match, RecordFilter } from "./record-filter.js";

/** Writes an inspection while it is made: `begin`, each segment with its records and then its warnings, `end`. */
export interface InspectionPrinter {
  begin(): Promise<void> | undefined;
  segment(location: SegmentLocation): Promise<void> | undefined;
  /** @param record where `needsRecords` or the filter asks for it */
  record(row: WalInspectionRow, record: WalRecord | undefined): Promise<void> | undefined;
  /** Whether `record` needs more than rows in the next segment. It costs about as much again as the rows alone. Default false. */
  readonly needsRecords?: boolean;
  warnings(warnings: readonly WalWarning[]): Promise<void> | undefined;
  end(): Promise<void> | undefined;
}

/** Where lines go: an output, or a buffer. */
export interface LineSink {
  readonly colors: Colors;
  /** Of a terminal; undefined where a line may have any length. */
  readonly lineColumns: number | undefined;
  line(text: string): Promise<void> | undefined;
}

export interface PrintOptions {
  /** Says which operations of a record were asked for. */
  readonly filter: RecordFilter;
  /** Shows the bytes of each record, and those where the damage begins. */
  readonly hex: boolean;
}

/** A batch shows so many of its operations; with a key filter, all that match. */
const MOST_OPERATIONS = 20;
const MIN_KEY_COLUMNS = 8;

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
    const line = formatInspectionRow(row);
    await out.line(only === undefined ? line : withKeys(`${line} `, only, out.lineColumns));
    if (row.type === "BATCH") await operations(matches);
    if (hex && record !== undefined) await dump(encodeRecord(record), row.offset);
  };
  const operations = async (matches: readonly Match[]) => {
    const shown = filter.hasPrefix ? matches : matches.slice(0, MOST_OPERATIONS);
    for (const match of shown) await out.line(operationText(match, out.lineColumns));
    const more = matches.length - shown.length;
    if (more > 0)
      await out.line(`  … ${plural(more, "more operation")}; --key PREFIX shows all that have such a key`);
  };
  return {
    begin: nothing,
    segment: (location) => {
      current = location;
      const { name, length } = location;
      header = hasSeveralSegments ? bold(`segment=${escapeText(name)} bytes=${length}`) : undefined;
      return filter.acceptsAll ? heading() : undefined;
    },
    needsRecords: true,
    record: details,
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

/** `head` and the keys of an operation. Keys that do not fit a terminal's line are cut. */
function withKeys(head: string, { operation }: Match, columns: number | undefined, tail = ""): string {
  const keys = operation.type === "deleteRange" ? [operation.start, operation.end] : [operation.key];
  const names = operation.type === "deleteRange" ? ["start=", "end="] : ["key="];
  const fields = keys.flatMap((key, index) => (key === undefined ? [] : [{ name: names[index] ?? "", key }]));
  const taken = textWidth(head + tail) + fields.reduce((sum, { name }) => sum + name.length + 1, 0);
  const room =
    columns === undefined
      ? undefined
      : Math.max(MIN_KEY_COLUMNS, Math.floor((columns - taken) / fields.length));
  const texts = fields.map(
    ({ name, key }) => name + (room === undefined ? keyText(key) : clip(keyText(key), room)),
  );
  return head + texts.join(" ") + tail;
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

function operationText(match: Match, columns: number | undefined): string {
  const { index, operation } = match;
  const tail =
    operation.type !== "put"
      ? ""
      : ` value_len=${operation.value.length}${operation.expiresAt === undefined ? "" : ` expires_at=${operation.expiresAt}`}`;
  return withKeys(`  operation=${index} type=${typeName(operation)} `, match, columns, tail);
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
    needsRecords: hex || filter.hasPrefix,
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
              ...(filter.hasPrefix && matchFields(filter.matches(record), row.type === "BATCH")),
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
