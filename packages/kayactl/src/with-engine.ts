import { Engine, type RecoveryProgress } from "@kaya/engine";
import { formatWarning } from "@kaya/wal";
import type { Context, EngineNeeds } from "./context.js";
import { refuseFile, requireDataDir } from "./data-dir.js";
import { engineConfig } from "./options.js";
import { tellingWarnings } from "./report.js";
import { recoveryProgress } from "./terminal/progress.js";
import { escapeText } from "./terminal/text.js";
import { whileShown } from "./terminal/while-shown.js";

/** Opens the engine, says what its recovery found, does the work, and closes: what it gives was closed without an error. */
export async function withEngine<T>(
  context: Context,
  work: (engine: Engine) => Promise<T>,
  needs: EngineNeeds = {},
): Promise<T> {
  const { session, options } = context;
  if (session?.isOf(options.data)) return work(await session.engineFor(context, needs));
  const engine = await openEngine(context, needs);
  return closeAfter(engine, () => work(engine));
}

/** Opens the engine, and says what its recovery found. */
export async function openEngine(
  context: Context,
  { create = false, readOnly = false, runsOn = false }: EngineNeeds,
): Promise<Engine> {
  await (create ? refuseFile : requireDataDir)(context.options.data);
  const engine = await withProgress(context, (onProgress) => {
    const { tables, ...config } = engineConfig(context.options);
    return Engine.open({ ...config, ...(!runsOn && { tables }), readOnly }, undefined, { onProgress });
  });
  try {
    context.io.signal?.throwIfAborted();
    for (const warning of recoveryWarnings(engine)) await warn(context, warning);
    return engine;
  } catch (error) {
    await engine.close().catch(() => undefined); // the first error is the one to tell
    throw error;
  }
}

/** Shows how far the reading is, once it takes long, and stops it where the user wants that. */
export function withProgress<T>(
  context: Context,
  work: (onProgress: (progress: RecoveryProgress) => void) => Promise<T>,
): Promise<T> {
  return whileShown(context, recoveryProgress, work);
}

/** Closes an engine after the work. The result of the work counts only if the engine was closed without an error. */
export async function closeAfter<T>(engine: Pick<Engine, "close">, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await engine.close().catch(() => undefined); // the first error is the one to tell
    throw error;
  }
  await engine.close();
  return result;
}

/** What recovery doubted when the engine was opened: a sentence each. */
export function recoveryWarnings({ lastRecovery }: Engine): string[] {
  const quarantined = lastRecovery.warnings.filter(({ kind }) => kind === "Quarantined");
  return [...tellingWarnings(lastRecovery), ...quarantined].map(formatWarning);
}

export async function warn({ err }: Context, text: string): Promise<void> {
  await err.line(`${err.colors.yellow("warning:")} ${escapeText(text)}`);
  await err.flush();
}
