import type { Workload } from "../workload.js";
import { durableBatches } from "./durable-batches.js";
import { durablePuts } from "./durable-puts.js";
import { flushing } from "./flushing.js";
import { growth } from "./growth.js";
import { limited, limitedLarge } from "./limited.js";
import { opening } from "./opening.js";
import { overwrites } from "./overwrites.js";
import { reads } from "./reads.js";
import { recovery } from "./recovery.js";
import { relaxedPuts } from "./relaxed-puts.js";
import { afterAKill, afterAKillLarge, reopening, reopeningLarge } from "./reopening.js";
import { resident } from "./resident.js";
import { rewriting } from "./rewriting.js";
import { waves } from "./waves.js";

/** In the order of the report. */
export const WORKLOADS: readonly Workload[] = [
  durablePuts,
  relaxedPuts,
  durableBatches,
  reads,
  resident,
  recovery,
  opening,
  reopening,
  afterAKill,
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
