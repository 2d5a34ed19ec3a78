import type { Workload } from "../workload.js";
import { expiry } from "./expiry.js";
import { flushing } from "./flushing.js";
import { growth } from "./growth.js";
import { limited, limitedLarge } from "./limited.js";
import { opening } from "./opening.js";
import { overwrites } from "./overwrites.js";
import { putCpu } from "./put-cpu.js";
import { reads } from "./reads.js";
import { recovery } from "./recovery.js";
import { afterAKill, afterAKillLarge, coldReopening, reopening, reopeningLarge } from "./reopening.js";
import { resident } from "./resident.js";
import { rewriting } from "./rewriting.js";
import { transactions, updates } from "./transactions.js";
import { tupleScans } from "./tuple-scans.js";
import { typedGets } from "./typed-gets.js";
import { typedPuts } from "./typed-puts.js";
import { waves } from "./waves.js";
import {
  coalescedPuts,
  durableBatches,
  durablePuts,
  durableValues,
  relaxedBatches,
  relaxedPuts,
  synchronousPuts,
} from "./write-workloads.js";
import { ycsbA } from "./ycsb.js";

/** In the order of the report. */
export const WORKLOADS: readonly Workload[] = [
  durablePuts,
  coalescedPuts,
  synchronousPuts,
  putCpu,
  relaxedPuts,
  durableBatches,
  relaxedBatches,
  durableValues,
  reads,
  ycsbA,
  typedPuts,
  typedGets,
  tupleScans,
  transactions,
  updates,
  expiry,
  reopening,
  coldReopening,
  afterAKill,
  recovery,
  resident,
  opening,
  reopeningLarge,
  afterAKillLarge,
  limited,
  limitedLarge,
  growth,
  flushing,
  rewriting,
  overwrites,
  waves,
];
