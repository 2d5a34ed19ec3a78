import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { Engine } from "@kaya/engine";
import type { Say } from "./main.js";
import { type Message, Outbox } from "./outbox.js";

/** Lines are of orders that are on the disk, and of messages that were published. */
const saidOf = (said: readonly string[], word: string) =>
  said.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.split(" ")[1]));

export async function check(dataDir: string, said: readonly string[], isLast: boolean): Promise<void> {
  await using db = await Engine.open({ dataDir });
  const orders = new Set<number>();
  for await (const { key } of db.scan({ prefix: "order:" }))
    orders.add(Number(Buffer.from(key).toString().slice(6)));
  for (const number of saidOf(said, "ordered")) assert(orders.has(number), `the order ${number} is lost`);
  const published = saidOf(said, "published");
  if (isLast) await relayAll(db, (number) => published.push(number));
  for (const number of published)
    assert(orders.has(number), `a message of the order ${number}, which there is not`);
  const firsts = [...new Set(published)];
  assert.deepEqual(
    firsts,
    firsts.toSorted((a, b) => a - b),
    "messages are in another order",
  );
  if (isLast) assert.equal(firsts.length, orders.size, "an order was never told");
}

async function relayAll(db: Engine, onPublished: (number: number) => void): Promise<void> {
  const stop = new AbortController();
  const relay = new Outbox(db).relay(async ({ body }) => onPublished(Number(body)), stop.signal);
  while ((await db.count({ prefix: "outbox:" })) > 0) await setTimeout(5);
  stop.abort();
  await relay;
}

export async function work(dataDir: string, say: Say): Promise<void> {
  const db = await Engine.open({ dataDir });
  const outbox = new Outbox(db);
  const publish = async ({ body }: Message) => say(`published ${body}`);
  const order = async () => {
    for (let number = await db.count({ prefix: "order:" }); ; number++) {
      const put = { type: "put", key: `order:${number}`, value: "" } as const;
      await db.batch([put, outbox.message("ordered", String(number))]);
      say(`ordered ${number}`);
    }
  };
  await Promise.all([order(), outbox.relay(publish, new AbortController().signal)]);
}
