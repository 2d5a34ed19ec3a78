import type { PartialEngineConfig, WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { BackupSource } from "./backup-source.js";
import type { Check } from "./check-run.js";
import { type ConsumerFact, checkConsumers } from "./consumer-session.js";
import { type Copied, copiedCheck } from "./copied-check.js";
import { engineCheck } from "./engine-check.js";
import type { EngineWrite } from "./engine-write.js";
import { liveThroughFaultPairs } from "./fault-pairs.js";
import { FaultedBackup } from "./faulted-backup.js";
import { type EngineAction, FaultedEngine } from "./faulted-engine.js";
import { FaultedLog, type LogAction } from "./faulted-log.js";
import { History, type HistoryView } from "./history.js";
import { TINY } from "./open-engine.js";
import { type ExplorationBudget, type Scenario, scenario } from "./scenario.js";
import { walCheck } from "./wal-check.js";
import type { WalWrite } from "./wal-write.js";

/** How many pairs of faults are tried, and which. */
export interface FaultPairBudget {
  /** Chooses the pairs. Default 0. */
  readonly seed?: number;
  /** How many pairs each scenario gets. Default 10. */
  readonly rounds?: number;
}

/** What a round leaves is crashed at each of its many operations: a few states each. */
const LIMITS: ExplorationBudget = {
  maxStatesPerBoundary: 6,
  maxStatesPerRecoveryBoundary: 2,
  timeoutMs: 30_000,
};

const WAL: Partial<WalConfig> = { segmentMaxBytes: 768, maxRecordBytes: 768, maxBatchBytes: 512 };
const ENGINE: PartialEngineConfig = {
  wal: WAL,
  limits: { maxKeyBytes: 64, maxValueBytes: 512 },
  tables: TINY,
};

const LOG_ACTIONS: readonly (readonly [LogAction, string])[] = [
  ["append", "appends over the end of a segment"],
  ["append at once", "appends at once over the end of a segment"],
  ["rotate", "a rotation"],
  ["drop", "segments dropped behind a checkpoint"],
  ["close", "closing"],
  ["open", "opening"],
];

const ENGINE_ACTIONS: readonly (readonly [EngineAction, string])[] = [
  ["writes", "writes over the end of a segment"],
  ["flush", "a flush"],
  ["flush beside writes", "a flush beside writes"],
  ["flush beside consumers", "a flush beside consumers"],
  ["compaction", "a compaction"],
  ["consumers", "consumers that come, acknowledge and leave"],
  ["close", "closing"],
  ["open", "opening"],
];

/** A memtable holds a few writes: what a round leaves in the log becomes tables in the next opening. */
const STAGING: PartialEngineConfig = { ...ENGINE, memory: { memtableBytes: 1024, cacheBytes: 32 * 1024 } };

/**
 * A fault, and another in what follows it: in the cleanup, in another attempt, in closing, in the next opening. The seed chooses the
 * pairs; every other seed has faults among them that take bytes from a living process.
 */
export function faultPairScenarios(budget: FaultPairBudget = {}): Scenario[] {
  return [
    ...LOG_ACTIONS.map(([action, name]) => walScenario(action, name, budget)),
    ...ENGINE_ACTIONS.map(([action, name]) => engineScenario(action, name, ENGINE, budget)),
    engineScenario("open", "opening with a log that does not fit a memtable", STAGING, budget),
    backupScenario(budget),
  ];
}

function walScenario(action: LogAction, name: string, { seed = 0, rounds = 10 }: FaultPairBudget): Scenario {
  const mayTakeBytes = seed % 2 === 1;
  return scenario<WalWrite>(
    nameOf("wal", name, seed),
    {
      workload: async (disk, history, recorder) => {
        const options = { seed, config: WAL, losesRelaxed: mayTakeBytes };
        const make = (on: SimDisk) =>
          new FaultedLog(on, on === disk ? history : new History(), action, options);
        await liveThroughFaultPairs(disk, recorder, make, { seed, rounds, mayTakeBytes });
      },
      check: walCheck({ config: WAL }),
    },
    LIMITS,
  );
}

function engineScenario(
  action: EngineAction,
  name: string,
  config: PartialEngineConfig,
  { seed = 0, rounds = 10 }: FaultPairBudget,
): Scenario {
  const mayTakeBytes = seed % 2 === 1;
  return scenario<EngineWrite | ConsumerFact>(
    nameOf("engine", name, seed),
    {
      workload: async (disk, history, recorder) => {
        const options = { seed, config, losesRelaxed: mayTakeBytes };
        const make = (on: SimDisk) =>
          new FaultedEngine(on, on === disk ? history : new History(), action, options);
        await liveThroughFaultPairs(disk, recorder, make, { seed, rounds, mayTakeBytes });
      },
      check: checkWritesAndConsumers(action, config),
    },
    LIMITS,
  );
}

/** The faults strike the disk that the backups are written to. */
function backupScenario({ seed = 0, rounds = 10 }: FaultPairBudget): Scenario {
  const mayTakeBytes = seed % 2 === 1;
  return scenario<Copied>(
    nameOf("engine", "a backup over an earlier one", seed),
    {
      workload: async (disk, history, recorder) => {
        const [struck, watched] = [await BackupSource.open(ENGINE), await BackupSource.open(ENGINE)];
        const make = (on: SimDisk) =>
          on === disk
            ? new FaultedBackup(on, history, struck, seed)
            : new FaultedBackup(on, new History(), watched, seed);
        await liveThroughFaultPairs(disk, recorder, make, { seed, rounds, mayTakeBytes });
      },
      check: copiedCheck(ENGINE),
    },
    LIMITS,
  );
}

function nameOf(layer: string, action: string, seed: number): string {
  return `${layer}: two faults: ${action}${seed === 0 ? "" : `: generated from seed ${seed}`}`;
}

function checkWritesAndConsumers(
  action: EngineAction,
  config: PartialEngineConfig,
): Check<EngineWrite | ConsumerFact> {
  return (disk, view, recovered) => {
    const writes = partOf(view, isWrite);
    const consumers = partOf(view, (fact): fact is ConsumerFact => !isWrite(fact));
    const check = engineCheck(config, {
      flushes: action.startsWith("flush") || action === "compaction",
      alsoCheck: (engine) => checkConsumers(engine, consumers),
    });
    return check(disk, writes, recovered);
  };
}

function isWrite(fact: EngineWrite | ConsumerFact): fact is EngineWrite {
  return "write" in fact;
}

function partOf<T, P extends T>(view: HistoryView<T>, isPart: (item: T) => item is P): HistoryView<P> {
  return {
    cause: view.cause,
    attempted: view.attempted.filter(isPart),
    acknowledged: new Set([...view.acknowledged].filter(isPart)),
    rejected: new Set([...view.rejected].filter(isPart)),
  };
}
