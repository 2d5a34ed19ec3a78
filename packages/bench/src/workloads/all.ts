import type { Workload } from "../workload.js";
import { checkpointing } from "./checkpointing.js";
import { durableBatches } from "./durable-batches.js";
import { durablePuts } from "./durable-puts.js";
import { growth } from "./growth.js";
import { opening } from "./opening.js";
import { openingCheckpoint } from "./opening-checkpoint.js";
import { overwrites } from "./overwrites.js";
import { reads } from "./reads.js";
import { recovery } from "./recovery.js";
import { relaxedPuts } from "./relaxed-puts.js";
import { reopening } from "./reopening.js";
import { waves } from "./waves.js";

/** In the order of the report. */
export const WORKLOADS: readonly Workload[] = [
  durablePuts,
  relaxedPuts,
  durableBatches,
  reads,
  recovery,
  opening,
  openingCheckpoint,
  reopening,
  growth,
  checkpointing,
  overwrites,
  waves,
];
