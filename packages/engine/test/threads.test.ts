import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterAll, expect, it } from "vitest";
import { Engine } from "../src/index.js";
import { temporaryDirectories } from "./support/temporary-directory.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

/** Another thread that opens a directory. It answers "open", or the code of the error. */
async function openInThread(workerData: string): Promise<{ worker: Worker; answer: string }> {
  const worker = new Worker(new URL("./support/thread.mjs", import.meta.url), { workerData });
  const [answer] = await once(worker, "message");
  return { worker, answer };
}

it("runs in a worker thread, and keeps the other threads of the process out", async () => {
  const dataDir = await directories.make();
  const { worker, answer } = await openInThread(dataDir);
  expect(answer).toBe("open");
  await expect(Engine.open({ dataDir })).rejects.toMatchObject({ code: "KAYA_LOCK_CONFLICT" });
  worker.postMessage("close");
  expect(await once(worker, "message")).toEqual(["closed"]);
  await worker.terminate();

  const db = await Engine.open({ dataDir });
  expect(Buffer.from((await db.get("from")) ?? []).toString()).toBe("a thread");
  const refused = await openInThread(dataDir);
  expect(refused.answer).toBe("KAYA_LOCK_CONFLICT");
  await refused.worker.terminate();
  await db.close();
});

// Bun closes the files of a terminated thread when the process ends.
it.skipIf(process.versions.bun !== undefined)("is freed when its thread is terminated", async () => {
  const dataDir = await directories.make();
  const { worker } = await openInThread(dataDir);
  await worker.terminate();
  const db = await Engine.open({ dataDir });
  expect(await db.has("from")).toBe(true);
  await db.close();
});
