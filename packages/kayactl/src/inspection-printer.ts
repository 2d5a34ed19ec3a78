import {
  formatInspectionRow,
  formatInspectionWarning,
  isDamage,
  type SegmentLocation,
  type WalInspectionRow,
  type WalWarning,
} from "@kaya/wal";
import { toJson } from "./bytes.js";
import type { Output } from "./output.js";
import { escapeText } from "./text.js";

/** Writes an inspection while it is made: `begin`, each segment with its rows and then its warnings, `end`. */
export interface InspectionPrinter {
  begin(): Promise<void> | undefined;
  segment(location: SegmentLocation): Promise<void> | undefined;
  row(row: WalInspectionRow): Promise<void> | undefined;
  warnings(warnings: readonly WalWarning[]): Promise<void> | undefined;
  end(): Promise<void> | undefined;
}

/** A line a record, a line a warning; several segments each under a line of their own. */
export function linePrinter(out: Output, hasSeveralSegments: boolean): InspectionPrinter {
  const { bold, red, yellow } = out.colors;
  const nothing = () => undefined;
  return {
    begin: nothing,
    segment: async ({ name, length }) => {
      if (hasSeveralSegments) await out.line(bold(`segment=${escapeText(name)} bytes=${length}`));
    },
    row: (row) => out.line(formatInspectionRow(row)),
    warnings: async (warnings) => {
      for (const warning of warnings) {
        const color = isDamage(warning) ? red : yellow;
        await out.line(color(escapeText(formatInspectionWarning(warning))));
      }
    },
    end: nothing,
  };
}

/** One document, as `WalInspection`. */
export function jsonPrinter(out: Output): InspectionPrinter {
  let segments = 0;
  let rows = 0;
  return {
    begin: () => out.write('{"segments":['),
    segment: ({ name, length }) => {
      rows = 0;
      const comma = segments++ > 0 ? "," : "";
      return out.write(`${comma}{"segment":${toJson(name)},"bytes":${length},"rows":[`);
    },
    row: (row) => out.write((rows++ > 0 ? "," : "") + toJson(row)),
    warnings: (warnings) => out.write(`],"warnings":${toJson(warnings)}}`),
    end: () => out.line("]}"),
  };
}
