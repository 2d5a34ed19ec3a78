import { type RecoveryReport, recover } from "@kaya/engine";
import type { Context } from "../context.js";
import { engineConfig } from "../options.js";
import { withProgress } from "../with-engine.js";

/** What a recovery would do. Changes nothing and takes no lock. */
export function dryRun(context: Context): Promise<RecoveryReport> {
  return withProgress(context, (onProgress) =>
    recover(engineConfig(context.options), undefined, { dryRun: true, onProgress }),
  );
}
