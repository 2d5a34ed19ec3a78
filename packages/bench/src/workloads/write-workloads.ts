import type { Scale } from "../scale.js";
import type { System } from "../system.js";
import type { Workload } from "../workload.js";
import { measureWrites, type WriteCase, writeRows } from "./writes.js";

const BATCH_ENTRIES = 100;
const BATCHES_IN_FLIGHT = [1, 16];
const RELAXED_IN_FLIGHT = [1, 256];
const LARGE_VALUES_KIB = [1, 16, 256];
const LARGE_VALUES_IN_FLIGHT = 64;

const isDurable = ({ setup }: System) => setup.durable !== undefined;

/** A power cut loses none of what was acknowledged. */
export const durablePuts = writeWorkload("durable-puts", isDurable, ({ durableInFlight }) =>
  durableInFlight.map((inFlight) => ({
    figure: `${inFlight}`,
    title: `durable puts, ${formatCount(inFlight)} in flight`,
    durability: "durable",
    inFlight,
  })),
);

/** The same of the peers, with as many puts in one batch as wait for it: what their users can do by hand. */
export const coalescedPuts = writeWorkload(
  "coalesced-puts",
  (system) => system.kind === "peer" && isDurable(system),
  ({ durableInFlight }) =>
    durableInFlight
      .filter((inFlight) => inFlight > 1)
      .map((inFlight) => ({
        figure: `${inFlight}`,
        title: `durable puts, ${formatCount(inFlight)} in flight, coalesced by hand`,
        durability: "durable",
        inFlight,
        by: "coalesced",
      })),
);

/** By a call that returns when the entry is durable. */
export const synchronousPuts = writeWorkload("synchronous-puts", isDurable, () => [
  { figure: "1", title: "durable puts, synchronous", durability: "durable", inFlight: 1, by: "sync" },
]);

/** The end of the process loses none of what was acknowledged; a power cut may. */
export const relaxedPuts = writeWorkload(
  "relaxed-puts",
  () => true,
  () =>
    RELAXED_IN_FLIGHT.map((inFlight) => ({
      figure: `${inFlight}`,
      title: `relaxed puts, ${inFlight} in flight`,
      durability: "relaxed",
      inFlight,
    })),
);

export const durableBatches = writeWorkload("durable-batches", isDurable, () => batchCases("durable"));
export const relaxedBatches = writeWorkload(
  "relaxed-batches",
  () => true,
  () => batchCases("relaxed"),
);

/** Large values: most of the time goes to bytes, not to entries. */
export const durableValues = writeWorkload("durable-values", isDurable, () =>
  LARGE_VALUES_KIB.map((kib) => ({
    figure: `${kib}KiB`,
    title: `durable values of ${kib} KiB, ${LARGE_VALUES_IN_FLIGHT} in flight`,
    durability: "durable",
    inFlight: LARGE_VALUES_IN_FLIGHT,
    valueBytes: kib << 10,
  })),
);

function batchCases(durability: WriteCase["durability"]): WriteCase[] {
  return BATCHES_IN_FLIGHT.map((inFlight) => ({
    figure: `${inFlight}`,
    title: `${durability} batches of ${BATCH_ENTRIES}, ${inFlight} in flight`,
    durability,
    inFlight,
    batchEntries: BATCH_ENTRIES,
  }));
}

function writeWorkload(
  name: string,
  runsOn: (system: System) => boolean,
  casesOf: (scale: Scale) => readonly WriteCase[],
): Workload {
  return {
    name,
    rows: (scale) => casesOf(scale).flatMap((write) => writeRows(name, write)),
    runsOn,
    async run(job) {
      for (const write of casesOf(job.scale)) await measureWrites(job, name, write);
    },
  };
}

function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}
