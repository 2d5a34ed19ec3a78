import { load } from "../load.js";
import { collectGarbage } from "../memory.js";
import { KayaStore } from "../systems/kaya.js";
import { openEngine } from "../systems/kaya-engine.js";
import type { Job, Workload } from "../workload.js";
import { READ_PARTS } from "./reads.js";

/** The reads of `reads`, from a memtable that holds everything: shows the cost of tables. */
export const resident: Workload = {
  name: "resident",
  rows: () =>
    READ_PARTS.flatMap(({ rows }) => rows).map((row) => ({
      ...row,
      id: residentRow(row.id),
      title: `${row.title}, out of the memtable`,
    })),
  runsOn: (system) => system.kind === "kaya",
  async run(job) {
    const engine = await openEngine(job.dir, { durability: "relaxed", keepsInMemtable: true });
    const store = new KayaStore(engine);
    await load(store, 0, job.scale.entries);
    await collectGarbage();
    for (const part of READ_PARTS) {
      if (part.rows.some(({ id }) => job.wants(residentRow(id)))) await part.run(store, residentJob(job));
    }
    await store.close();
  },
};

/** `gets/sync` is `resident/gets-sync`. */
function residentRow(id: string): string {
  return `resident/${id.replace("/", "-")}`;
}

function residentJob(job: Job): Job {
  return {
    ...job,
    wants: (id) => job.wants(residentRow(id)),
    report: (id, value, usage) => job.report(residentRow(id), value, usage),
    measure: (id, work) => job.measure(residentRow(id), work),
  };
}
