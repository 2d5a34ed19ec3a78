// A thread for threads.test.ts and .ci/runtimes: opens the directory, says how that went, and closes it when it is told to.
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { Engine } from "../../dist/index.js";

const db = await Engine.open({ dataDir: workerData }).catch(({ code }) => void parentPort.postMessage(code));
if (db !== undefined) {
  const asked = once(parentPort, "message");
  await db.put("from", "a thread");
  parentPort.postMessage("open");
  await asked;
  await db.close();
  parentPort.postMessage("closed");
}
