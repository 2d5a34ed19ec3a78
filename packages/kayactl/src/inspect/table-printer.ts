import {
  formatTableDamage,
  formatTableProperties,
  formatTableRow,
  type TableDamage,
  type TableInspectionRow,
  type TableLocation,
  type TableProperties,
} from "@kaya/lsm";
import { jsonField, toJson } from "../bytes.js";
import type { Output } from "../terminal/output.js";
import { escapeText } from "../terminal/text.js";

/** Writes an inspection of tables while it is made: `begin`, each table with its blocks and then the rest of it, `end`. */
export interface TablePrinter {
  begin(): Promise<void> | undefined;
  table(location: TableLocation): Promise<void> | undefined;
  row(row: TableInspectionRow): Promise<void> | undefined;
  /** @param properties undefined where they cannot be read */
  finish(properties: TableProperties | undefined, damage: readonly TableDamage[]): Promise<void>;
  end(): Promise<void> | undefined;
}

/** A line a block, a line for all of the table, a line for each damage. */
export function lineTablePrinter(out: Output, isDirectory: boolean, isSummary: boolean): TablePrinter {
  const { bold, red } = out.colors;
  const nothing = () => undefined;
  return {
    begin: nothing,
    table: ({ name, length }) =>
      isDirectory ? out.line(bold(`table=${escapeText(name)} bytes=${length}`)) : undefined,
    row: (row) => (isSummary ? undefined : out.line(formatTableRow(row))),
    finish: async (properties, damage) => {
      if (properties !== undefined) await out.line(formatTableProperties(properties));
      for (const each of damage) await out.line(red(escapeText(formatTableDamage(each))));
    },
    end: nothing,
  };
}

/** One document. */
export function jsonTablePrinter(out: Output, isSummary: boolean): TablePrinter {
  let tables = 0;
  let rows = 0;
  return {
    begin: () => out.write('{"tables":['),
    table: ({ name, length }) => {
      rows = 0;
      return out.write(`${tables++ > 0 ? "," : ""}{"table":${toJson(name)},"bytes":${length},"rows":[`);
    },
    row: (row) => (isSummary ? undefined : out.write((rows++ > 0 ? "," : "") + toJson(row))),
    finish: async (properties, damage) => {
      await out.write(`],"properties":${toJson(properties === undefined ? null : shown(properties))}`);
      await out.write(`,"damage":${toJson(damage)}}`);
    },
    end: () => out.line("]}"),
  };
}

/** Keys as everywhere: as text, or in hex where they are none. */
function shown({ smallestKey, largestKey, ...numbers }: TableProperties): object {
  return {
    ...numbers,
    smallest: jsonField("key", smallestKey),
    largest: largestKey === undefined ? null : jsonField("key", largestKey),
  };
}
