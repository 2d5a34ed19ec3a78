import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { KayaError } from "@kaya/core";
import type { TableMeta } from "../manifest/manifest-state.js";
import type { MergeJob } from "./job.js";
import type { MergeControl } from "./merge-in-loop.js";
import { errorOf, type WorkerInput, type WorkerMessage, type WorkerPlace } from "./worker-messages.js";

/** The place of this code. `import.meta` is empty in CommonJS. In a bundle the worker's file is not beside it: then merges run in the loop. */
const HERE = import.meta.filename ?? __filename;

/**
 * Most objects of a merge live for a moment: a small young generation is collected more often and takes less memory. Node's own limit, 48
 * MiB, is as much as a whole merge needs.
 */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 6 };

/** How often the worker hears whether it should rest. */
const ASK_MS = 20;

/** The worker did not begin, or ended too early: something other than the merge is wrong. Its files are orphans. */
export class WorkerLostError extends KayaError {
  constructor(how: string, cause?: unknown) {
    super("KAYA_INTERNAL", `the worker that merges tables ${how}`, { cause });
  }
}

/**
 * Merges on a thread of its own, with a disk of its own. If it is lost or ended early, the caller removes its files.
 * @throws WorkerLostError; KayaError as `mergeInLoop`
 */
export async function mergeOnWorker(
  place: WorkerPlace,
  job: MergeJob,
  { signal, shouldRest, onProgress, keepsProcess }: MergeControl,
): Promise<TableMeta[]> {
  const rests = new SharedArrayBuffer(4);
  const worker = start({ ...place, job, rests });
  if (!keepsProcess) worker.unref();
  const flag = new Int32Array(rests);
  const asking = setInterval(() => Atomics.store(flag, 0, shouldRest() ? 1 : 0), ASK_MS).unref();
  const end = () => void worker.terminate();
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    const outputs = await answerOf(worker, onProgress);
    return outputs;
  } catch (error) {
    if (signal.aborted) throw new KayaError("KAYA_CLOSED", "the tree was closed while it merged tables");
    throw error;
  } finally {
    signal.removeEventListener("abort", end);
    clearInterval(asking);
    await worker.terminate();
  }
}

function start(input: WorkerInput): Worker {
  try {
    const options = { workerData: input, name: "kaya-merge", resourceLimits: RESOURCE_LIMITS };
    return new Worker(join(dirname(HERE), "worker.js"), options);
  } catch (cause) {
    throw new WorkerLostError("cannot be started", cause);
  }
}

function answerOf(worker: Worker, onProgress: (bytes: number) => void): Promise<TableMeta[]> {
  return new Promise((resolve, reject) => {
    worker.on("message", (message: WorkerMessage) => {
      if (message.kind === "progress") onProgress(message.bytes);
      else if (message.kind === "done") resolve([...message.outputs]);
      else if (message.kind === "failed") reject(errorOf(message));
    });
    worker.on("error", (cause) => reject(new WorkerLostError("failed", cause)));
    worker.on("exit", (code) => reject(new WorkerLostError(`ended with exit code ${code}`)));
  });
}
