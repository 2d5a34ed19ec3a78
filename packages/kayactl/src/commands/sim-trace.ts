import { writeFile } from "node:fs/promises";
import { KayaError } from "@kaya/core";
import type { SimulationResult } from "@kaya/sim";
import type { Context } from "../context.js";
import { escapeText } from "../terminal/text.js";

// Small is enough: what takes longer than this does not get much smaller.
const SHRINK_MS = 30_000;

export interface SavedTrace {
  readonly path: string;
  readonly steps: number;
  /** Of the shrunk trace. */
  readonly result: SimulationResult;
}

/** Makes a failing run small and keeps it in a file. An interruption ends the search, not the saving. */
export async function saveShrunk(
  { io, err, options }: Context,
  seed: number,
  operations: number,
  path = `./kaya-sim-${seed}.jsonl`,
): Promise<SavedTrace> {
  if (options.json !== true) {
    await err.line(`seed ${seed} broke a promise: making it smaller`);
    await err.flush();
  }
  const { generateTrace, saveTrace, shrinkTrace } = await import("@kaya/sim");
  const limit = AbortSignal.timeout(SHRINK_MS);
  const signal = io.signal === undefined ? limit : AbortSignal.any([limit, io.signal]);
  const { trace, result } = await shrinkTrace(generateTrace({ seed, operations }), { signal });
  await writeFile(path, saveTrace(trace)).catch((cause: NodeJS.ErrnoException) => {
    const message = `cannot save the trace of seed ${seed} as ${escapeText(path)}: ${cause.code ?? cause.message}`;
    throw new KayaError("KAYA_IO", message, { cause });
  });
  return { path, steps: trace.steps.length, result };
}
