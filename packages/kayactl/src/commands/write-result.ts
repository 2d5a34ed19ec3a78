import type { WriteResult } from "@kaya/engine";
import { toJson } from "../bytes.js";
import type { Context } from "../context.js";

/** `OK sequence=42 lsn=42 durable=true`. */
export async function printWrite({ out, options }: Context, result: WriteResult): Promise<void> {
  const { sequence, lsn, durable } = result;
  if (options.json) await out.line(toJson({ ok: true, sequence, lsn, durable }));
  else await out.line(`${out.colors.green("OK")} sequence=${sequence} lsn=${lsn} durable=${durable}`);
}
