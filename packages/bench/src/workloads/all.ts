import type { Workload } from "../workload.js";
import { durableBatches } from "./durable-batches.js";
import { durablePuts } from "./durable-puts.js";
import { growth } from "./growth.js";
import { opening } from "./opening.js";
import { reads } from "./reads.js";
import { recovery } from "./recovery.js";
import { relaxedPuts } from "./relaxed-puts.js";
import { reopening } from "./reopening.js";

/** In the order of the report. */
export const WORKLOADS: readonly Workload[] = [
  durablePuts,
  relaxedPuts,
  durableBatches,
  reads,
  recovery,
  opening,
  reopening,
  growth,
];
