import type { WrittenDirectory } from "@kaya/engine";
import { toJson } from "../bytes.js";
import type { Context } from "../context.js";
import { escapeText } from "../terminal/text.js";

/**
 * What was written into `dir`: a data directory by itself.
 * @param more what else there is to say of it, by name
 */
export async function printNewDirectory(
  { out, options }: Context,
  dir: string,
  result: WrittenDirectory & { readonly durationMs: number },
  more: Readonly<Record<"copiedTables" | "copiedBytes", number>> | undefined = undefined,
): Promise<void> {
  const { lsn, sequence, tables, bytes } = result;
  const durationMs = Math.round(result.durationMs * 1000) / 1000;
  const copied =
    more === undefined ? "" : ` copied_tables=${more.copiedTables} copied_bytes=${more.copiedBytes}`;
  await out.line(
    options.json
      ? toJson({ ok: true, lsn, sequence, tables, bytes, ...more, durationMs })
      : `${out.colors.green("OK")} lsn=${lsn} tables=${tables} bytes=${bytes}${copied} dir=${escapeText(dir)}`,
  );
}
