import { type RecoveryReport, recover } from "@kaya/engine";
import { NodeDisk } from "@kaya/io";
import { listCheckpointFiles } from "./checkpoint-files.js";
import type { Context } from "./context.js";
import { engineConfig } from "./options.js";
import { withProgress } from "./with-engine.js";

const MOST_ATTEMPTS = 10;

/** What a recovery would do. Changes nothing and takes no lock. */
export function dryRun(context: Context): Promise<RecoveryReport> {
  return withProgress(context, (onProgress) =>
    recover(engineConfig(context.options), undefined, { dryRun: true, onProgress }),
  );
}

/** Reads a directory that may be in use: again where a checkpoint was made meanwhile. */
export function steadily<T>({ options }: Context, read: () => Promise<T>): Promise<T> {
  return whileUnchanged(() => beginningOf(options.data), read);
}

/** What a checkpoint changes when it gets its name, and when it removes a segment: that is always the oldest. */
async function beginningOf(dataDir: string): Promise<string> {
  const { newest } = await listCheckpointFiles(dataDir);
  const log = await new NodeDisk(dataDir).list("wal");
  return `${newest?.path} ${log.find(({ path }) => path.endsWith(".wal"))?.path}`;
}

/**
 * Reads again where the mark changed meanwhile: a checkpoint that was made beside it takes away the log that was being read,
 * and what was seen then is no damage.
 */
export async function whileUnchanged<T>(mark: () => Promise<unknown>, read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const before = await mark();
    const [outcome] = await Promise.allSettled([read()]);
    if (attempt < MOST_ATTEMPTS && (await mark()) !== before) continue;
    if (outcome.status === "fulfilled") return outcome.value;
    throw outcome.reason;
  }
}
