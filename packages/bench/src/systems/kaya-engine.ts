import { Engine } from "@kaya/engine";
import type { Durability, StoreMemory } from "../system.js";

/** The bench's use of an engine. All that depends on the engine's configuration and its figures is in this file. */
export interface EngineSetup {
  readonly durability: Durability;
  /** Absent: the engine's defaults. */
  readonly memory?: StoreMemory;
  /** All entries stay in the memtable and in the log: nothing is flushed unless it is asked for. */
  readonly keepsInMemtable?: boolean;
}

export function openEngine(
  dataDir: string,
  { durability, memory, keepsInMemtable }: EngineSetup,
): Promise<Engine> {
  return Engine.open({
    dataDir,
    durability: durability === "durable" ? "strict" : "relaxed",
    ...(memory && {
      memory: { memtableBytes: memory.writeBufferBytes, cacheBytes: memory.cacheBytes },
    }),
    ...(keepsInMemtable && {
      memory: { memtableBytes: 2 ** 33 },
      tables: { autoFlush: false, autoCompact: false },
    }),
  });
}

/** All the work that the engine otherwise does in the background, now. */
export async function flushAndCompact(engine: Engine): Promise<void> {
  await engine.flush();
  await engine.compact();
}

/** Whether the engine is writing files that are not its log. */
export function isBusy(engine: Engine): boolean {
  const { flush, tables } = engine.stats();
  return flush.isRunning || tables.isCompacting;
}
