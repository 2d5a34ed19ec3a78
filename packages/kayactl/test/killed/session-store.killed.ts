import assert from "node:assert/strict";
import { promisify } from "node:util";
import { Engine } from "@kaya/engine";
import type { SessionData } from "express-session";
import type { Say } from "./main.js";
import { SessionStore } from "./session-store.js";

const HOUR = 3_600_000;

const sessionOf = (id: string) =>
  ({
    user: id,
    cookie: { originalMaxAge: HOUR, expires: new Date(Date.now() + HOUR) },
  }) as unknown as SessionData;

export async function check(dataDir: string, said: readonly string[]): Promise<void> {
  await using db = await Engine.open({ dataDir });
  const store = new SessionStore(db);
  const get = promisify(store.get.bind(store));
  const states = new Map(said.map((line) => line.split(" ").reverse() as [string, string]));
  for (const [id, state] of states) {
    const session = (await get(id)) as (SessionData & { user?: string }) | null;
    if (state === "in") assert.equal(session?.user, id, `the session ${id} is lost`);
    if (state === "out") assert.equal(session ?? null, null, `the session ${id} is back`);
  }
}

export async function work(dataDir: string, say: Say): Promise<void> {
  const store = new SessionStore(await Engine.open({ dataDir }));
  const [set, touch, destroy] = [store.set, store.touch, store.destroy].map((method) =>
    promisify(method.bind(store)),
  );
  const begin = Date.now();
  const user = async (name: number) => {
    for (let number = 0; ; number++) {
      const id = `${begin}-${name}-${number}`;
      await set?.(id, sessionOf(id));
      say(`in ${id}`);
      await touch?.(id, sessionOf(id));
      if (number % 2 === 1) continue;
      say(`going ${id}`);
      await destroy?.(id);
      say(`out ${id}`);
    }
  };
  await Promise.all([user(1), user(2), user(3)]);
}
