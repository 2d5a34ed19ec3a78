import { cpuOf } from "../measure.js";
import type { Workload } from "../workload.js";
import { inFreshStore, type WriteCase, writesOf } from "./writes.js";

const IN_FLIGHT = 1024;
/** A flush of few entries costs more for each, and one second puts only few. */
const TIMES_LONGER = 3;
const ROW = "put-cpu/1024";
const WRITE: WriteCase = {
  figure: "1024",
  title: "CPU of a durable put, 1,024 in flight",
  durability: "durable",
  inFlight: IN_FLIGHT,
};

/** Processor time of a put: its caller, its await and all other threads. Kaya's flush of the entries is included. */
export const putCpu: Workload = {
  name: "put-cpu",
  rows: () => [{ id: ROW, title: WRITE.title, unit: "µs", better: "lower" }],
  timesLonger: TIMES_LONGER,
  runsOn: ({ setup }) => setup.durable !== undefined,
  async run(job) {
    await inFreshStore(job, WRITE, async (store) => {
      const writes = writesOf(store, WRITE, job.system);
      if (writes === undefined) return;
      const { callers, putsAnOperation, operation } = writes;
      const settle = async () => store.flush?.();
      const duration = {
        warmUpMs: TIMES_LONGER * job.scale.warmUpMs,
        measureMs: TIMES_LONGER * job.scale.measureMs,
      };
      job.report(ROW, (await cpuOf(callers, duration, operation, settle)) / putsAnOperation);
    });
  },
};
