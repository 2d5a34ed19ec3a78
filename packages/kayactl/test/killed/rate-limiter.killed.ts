import assert from "node:assert/strict";
import { Engine } from "@kaya/engine";
import type { Say } from "./main.js";
import { RateLimiter } from "./rate-limiter.js";

/** Nothing comes back while the test runs. */
const LIMIT = { burst: 1000, perSecond: 1 / 3_600_000 };
const AT_ONCE = 10;
const PROCESSES = 10;

export async function check(dataDir: string, said: readonly string[], isLast: boolean): Promise<void> {
  await using db = await Engine.open({ dataDir });
  const limiter = new RateLimiter(db, LIMIT);
  const { left } = await limiter.take("Ada", LIMIT.burst + 1);
  const taken = LIMIT.burst - left;
  assert(taken >= said.length, `${said.length} tokens were taken, and ${taken} are missing`);
  assert(
    taken <= said.length + AT_ONCE * PROCESSES,
    `${taken} tokens are missing, and ${said.length} were taken`,
  );
  if (!isLast) return;
  const answers = await Promise.all(Array.from({ length: LIMIT.burst }, () => limiter.take("Ada")));
  assert.equal(answers.filter(({ isAllowed }) => isAllowed).length, left);
}

export async function work(dataDir: string, say: Say): Promise<void> {
  const limiter = new RateLimiter(await Engine.open({ dataDir }), LIMIT);
  const take = async () => {
    while ((await limiter.take("Ada")).isAllowed) {
      say("taken");
      await new Promise(setImmediate);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, take));
  await new Promise(() => setInterval(() => undefined, 1000)); // all are gone
}
