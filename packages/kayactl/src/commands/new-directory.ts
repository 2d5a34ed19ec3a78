import type { BackupResult } from "@kaya/engine";
import { toJson } from "../bytes.js";
import type { Context } from "../context.js";
import { escapeText } from "../text.js";

/** What was written into `dir`: a data directory by itself. */
export async function printNewDirectory(
  { out, options }: Context,
  dir: string,
  result: BackupResult,
): Promise<void> {
  const { lsn, sequence, entries, bytes } = result;
  const durationMs = Math.round(result.durationMs * 1000) / 1000;
  await out.line(
    options.json
      ? toJson({ ok: true, lsn, sequence, entries, bytes, durationMs })
      : `${out.colors.green("OK")} lsn=${lsn} entries=${entries} bytes=${bytes} dir=${escapeText(dir)}`,
  );
}
