export interface MemoryUse {
  /** Bytes of the process that are in memory. */
  readonly rss: number;
  /** Bytes of JavaScript objects. */
  readonly heapUsed: number;
}

/** Collects all garbage. The process runs with --expose-gc. */
export async function collectGarbage(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error("this runs under node --expose-gc");
  // Twice, with a turn between: objects that finalizers release are garbage only after the first.
  for (let i = 0; i < 2; i++) {
    globalThis.gc();
    await new Promise(setImmediate);
  }
}

/** The memory in use after a full collection. */
export async function memoryInUse(): Promise<MemoryUse> {
  await collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heapUsed };
}
