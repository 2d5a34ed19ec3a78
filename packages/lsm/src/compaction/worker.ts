import { parentPort, workerData } from "node:worker_threads";
import { asKayaError } from "@kaya/core";
import { NodeDisk } from "@kaya/io";
import { mergeInLoop } from "./merge-in-loop.js";
import type { WorkerInput, WorkerMessage } from "./worker-messages.js";

/** Interval of progress messages. */
const TELL_BYTES = 4 * 1024 * 1024;

const { root, directories, job, rests } = workerData as WorkerInput;
const tell = (message: WorkerMessage) => parentPort?.postMessage(message);
const shouldRest = new Int32Array(rests);
let untold = 0;

async function run(): Promise<void> {
  try {
    const outputs = await mergeInLoop(new NodeDisk(root, directories), job, {
      signal: new AbortController().signal, // it is ended with the worker
      shouldRest: () => Atomics.load(shouldRest, 0) > 0,
      onProgress: (bytes) => {
        untold += bytes;
        if (untold < TELL_BYTES) return;
        tell({ kind: "progress", bytes: untold });
        untold = 0;
      },
    });
    if (untold > 0) tell({ kind: "progress", bytes: untold });
    tell({ kind: "done", outputs });
  } catch (error) {
    const { code, message } = asKayaError(error, "merging tables on a worker");
    tell({ kind: "failed", code, message });
  }
}

// No top-level await: CommonJS has none.
void run();
