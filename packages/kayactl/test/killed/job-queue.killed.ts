import assert from "node:assert/strict";
import { Engine } from "@kaya/engine";
import { type Job, JobQueue, type Lease } from "./job-queue.js";
import type { Say } from "./main.js";

const OPTIONS = { tries: 3, backOffMs: () => 1 };
const MOST_WAITING = 40;

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

/** Counts in the batch that removes the job how often it was done. */
async function run(db: Engine, { id, data }: Job<string>, lease: Lease): Promise<void> {
  if (data === "poison") throw new Error("nobody can do it");
  const times = Number(text(db.getSync(`done:${id}`))) + 1;
  lease.operations.push({ type: "put", key: `done:${id}`, value: String(times) });
}

export async function check(dataDir: string, said: readonly string[], isLast: boolean): Promise<void> {
  await using db = await Engine.open({ dataDir });
  if (isLast) await workOff(db);
  const found = new Map<string, string[]>();
  for await (const { key, value } of db.scan()) {
    const state = text(key).split(":")[0] ?? "";
    const id = state === "done" ? text(key).slice("done:".length) : JSON.parse(text(value)).id;
    found.set(id, [...(found.get(id) ?? []), state]);
    if (state === "done") assert.equal(text(value), "1", `the job ${id} was done ${text(value)} times`);
  }
  for (const [id, states] of found)
    assert.equal(states.length, 1, `the job ${id} is ${states.join(" and ")}`);
  for (const line of said) {
    const [, id = "", data] = line.split(" ");
    assert(found.has(id), `the job ${id} was added, and is lost`);
    if (isLast) assert.deepEqual(found.get(id), [data === "poison" ? "dead" : "done"]);
  }
}

async function workOff(db: Engine): Promise<void> {
  const queue = await JobQueue.open<string>(db, OPTIONS);
  const stop = new AbortController();
  const look = async () => {
    const left = (await db.count({ prefix: "waiting:" })) + (await db.count({ prefix: "running:" }));
    if (left === 0) stop.abort();
  };
  const timer = setInterval(look, 5);
  await queue.work((job, lease) => run(db, job, lease), { workers: 4, signal: stop.signal });
  clearInterval(timer);
}

export async function work(dataDir: string, say: Say): Promise<void> {
  const db = await Engine.open({ dataDir });
  const queue = await JobQueue.open<string>(db, OPTIONS);
  const add = async () => {
    for (let number = 0; ; number++) {
      if ((await db.count({ prefix: "waiting:" })) > MOST_WAITING)
        await new Promise((resolve) => setTimeout(resolve, 1));
      const data = number % 10 === 0 ? "poison" : "job";
      const id = await queue.add(data, { delayMs: number % 3, priority: number % 2 === 0 ? 0 : 2 });
      say(`added ${id} ${data}`);
    }
  };
  const { signal } = new AbortController();
  await Promise.all([add(), add(), queue.work((job, lease) => run(db, job, lease), { workers: 16, signal })]);
}
