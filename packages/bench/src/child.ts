// The process that measures: one workload of one system, started by runner.ts.
import type { Scale } from "./scale.js";
import { PeerMissing } from "./system.js";
import { SYSTEMS } from "./systems/all.js";
import { type Usage, withUsage } from "./usage.js";
import type { Job, Workload } from "./workload.js";
import { WORKLOADS } from "./workloads/all.js";

/** The input of the child, as JSON. */
export interface Order {
  readonly task: "fill" | "prepare" | "run";
  readonly workload: string;
  readonly system: string;
  readonly scale: Scale;
  readonly dir: string;
  readonly fixtureDir: string;
  /** Ids of the rows that are asked for. */
  readonly rows: readonly string[];
}

/** Its messages: figures; at the end the error, if any. */
export type Message =
  | { readonly row: string; readonly value: number; readonly usage?: Usage }
  | { readonly error: string; readonly isMissing: boolean };

async function obey(order: Order): Promise<void> {
  const workload = WORKLOADS.find(({ name }) => name === order.workload);
  const system = SYSTEMS.find(({ name }) => name === order.system);
  if (workload === undefined || system === undefined)
    throw new Error(`no such work: ${JSON.stringify(order)}`);
  const wanted = new Set(order.rows);
  const report = (row: string, value: number, usage?: Usage) => {
    if (wanted.has(row)) send({ row, value, ...(usage && { usage }) });
  };
  const job: Job = {
    system,
    scale: order.scale,
    dir: order.dir,
    fixtureDir: order.fixtureDir,
    wants: (row) => wanted.has(row),
    report,
    async measure(row, work) {
      const { value, usage } = await withUsage(work);
      report(row, value, usage);
    },
  };
  await carryOut(order.task, workload, job);
}

async function carryOut(task: Order["task"], workload: Workload, job: Job): Promise<void> {
  if (task === "fill") await workload.fixture?.fill(job);
  else if (task === "prepare") await workload.prepare?.(job);
  else await workload.run(job);
}

const sent: Promise<unknown>[] = [];

function send(message: Message): void {
  sent.push(new Promise((resolve) => process.send?.(message, undefined, undefined, resolve)));
}

// Its parent is gone: nobody wants the figures.
process.on("disconnect", () => process.exit(1));

try {
  await obey(JSON.parse(process.argv[2] ?? "{}") as Order);
} catch (error) {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  send({ error: text, isMissing: error instanceof PeerMissing });
  process.exitCode = 1;
}
await Promise.all(sent);
// A store that failed in mid-work is still open, and would keep the process.
process.exit();
