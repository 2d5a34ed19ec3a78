import {
  Engine,
  type EntriesReport,
  type IndexProblem,
  type IndexSummary,
  verifyIndexEntries,
} from "@kaya/engine";
import { asText, jsonField, toHex } from "./bytes.js";
import type { Context } from "./context.js";
import { engineConfig } from "./options.js";
import { escapeText } from "./terminal/text.js";
import { formatCount } from "./units.js";

/** What a store without indexes has of them. */
export const NO_INDEXES: EntriesReport = { indexes: [], problems: [], problemCount: 0 };

/** Compares the entries of secondary indexes with their rows, as a reader that takes no lock. */
export async function surveyIndexes({ options }: Context): Promise<EntriesReport> {
  const engine = await Engine.open({ ...engineConfig(options), readOnly: true });
  try {
    const snapshot = engine.snapshot();
    try {
      return await verifyIndexEntries(snapshot);
    } finally {
      snapshot.close();
    }
  } finally {
    await engine.close();
  }
}

/** One row an index. */
export function indexRows({ indexes }: EntriesReport): [name: string, value: string][] {
  return indexes.map((index, i) => {
    const { entries, unique, state } = index;
    const kind = `${unique ? ", unique" : ""}${state === "building" ? ", being built" : ""}`;
    const text = `${nameOf(index)}, ${formatCount(entries)} entries${kind}`;
    return [i === 0 ? "indexes" : "", escapeText(text)];
  });
}

export function problemLine({ key, message }: IndexProblem): string {
  return `index entry 0x${toHex(key)}: ${message}`;
}

export function indexesJson({ indexes }: EntriesReport): object[] {
  return indexes.map(({ prefix, ...rest }) => {
    const text = asText(prefix);
    return { ...(text === undefined ? { prefixHex: toHex(prefix) } : { prefix: text }), ...rest };
  });
}

export function problemJson({ kind, key, message }: IndexProblem): object {
  return { index: kind, ...jsonField("key", key), message };
}

function nameOf({ prefix, name }: IndexSummary): string {
  const text = asText(prefix);
  return `${name} of ${text === undefined ? `0x${toHex(prefix)}` : JSON.stringify(text)}`;
}
