import { SimClock, SimLog, type SimLogOptions } from "@kaya/cluster/testing";
import { describe, expect, test } from "vitest";
import type { LogHead, SharedLog } from "../src/shared-log.js";

const ORIGIN = { logId: "id", lsn: 0, sequence: 0 };

function entry(firstLsn: number, size = 1) {
  return { firstLsn, lastLsn: firstLsn, lastSequence: firstLsn, bytes: new Uint8Array(size).fill(firstLsn) };
}

function logOf(options: SimLogOptions = {}) {
  const clock = new SimClock();
  return { clock, log: new SimLog({ clock, ...options }) };
}

async function claimed(client: SharedLog): Promise<LogHead> {
  return await client.claim(await client.head(), { writer: client.name, origin: ORIGIN });
}

const code = (error: unknown) => (error as { code?: string }).code;

describe("a shared log in memory", () => {
  test("a call whose request is lost is in doubt after the time limit, and not done", async () => {
    const { clock, log } = logOf();
    const a = log.client("a");
    const head = await claimed(a);
    log.faults = ({ kind }) => (kind === "append" ? { kind: "requestLost" } : undefined);
    const outcome = a.append(head, entry(1)).catch(code);
    expect(await clock.run(outcome)).toBe("KAYA_IN_DOUBT");
    expect([clock.now(), log.head?.lsn]).toEqual([1000, 0]);
  });

  test("an append whose reply is lost is in doubt, and done", async () => {
    const { clock, log } = logOf();
    const a = log.client("a");
    const head = await claimed(a);
    log.faults = ({ kind }) => (kind === "append" ? { kind: "replyLost", afterMs: 0 } : undefined);
    expect(await clock.run(a.append(head, entry(1)).catch(code))).toBe("KAYA_IN_DOUBT");
    expect(log.history.map(({ lastLsn }) => lastLsn)).toEqual([1]);
  });

  test("a delayed append is done after its caller gave up, and only if the head is still the expected one", async () => {
    const { clock, log } = logOf();
    const a = log.client("a");
    const head = await claimed(a);
    log.faults = ({ kind, nth }) =>
      kind === "append" && nth === 1 ? { kind: "delay", request: 5000 } : undefined;
    expect(await clock.run(a.append(head, entry(1)).catch(code))).toBe("KAYA_IN_DOUBT");
    expect(log.head?.lsn).toBe(0);
    await clock.advance(4000);
    expect(log.head?.lsn).toBe(1);
    // Once more, but now another writer claims the log before the request arrives.
    log.faults = ({ kind }) => (kind === "append" ? { kind: "delay", request: 5000 } : undefined);
    const late = a.append(log.head as LogHead, entry(2)).catch(code);
    await claimed(log.client("b"));
    expect(await clock.run(late)).toBe("KAYA_IN_DOUBT");
    await clock.advance(10_000);
    expect([log.head?.lsn, log.head?.epoch]).toEqual([1, 2]);
  });

  test("a partitioned client sees nothing, the others continue, and its follower catches up when it is healed", async () => {
    const { clock, log } = logOf();
    const a = log.client("a");
    const b = log.client("b");
    let head = await claimed(a);
    const troubles: unknown[] = [];
    const stop = new AbortController();
    const lsns: number[] = [];
    const following = (async () => {
      const options = { signal: stop.signal, onTrouble: (error: unknown) => troubles.push(code(error)) };
      for await (const page of b.follow(0, options)) lsns.push(...page.entries.map((each) => each.lastLsn));
    })();
    head = await a.append(head, entry(1));
    await clock.settle();
    log.partition("b");
    await a.append(head, entry(2));
    await clock.advance(3000);
    expect(lsns).toEqual([1]);
    expect(new Set(troubles)).toEqual(new Set(["KAYA_NO_MAJORITY"]));
    log.heal("b");
    await clock.advance(2000);
    expect(lsns).toEqual([1, 2]);
    stop.abort();
    await following;
  });

  test("a client whose connections are refused knows that nothing was done", async () => {
    const { log } = logOf();
    const a = log.client("a");
    const head = await claimed(a);
    log.partition("a", "refuse");
    expect(await a.append(head, entry(1)).catch(code)).toBe("KAYA_NO_MAJORITY");
    expect(log.history).toEqual([]);
  });

  test("a paused client sends and receives nothing, and its presence expires", async () => {
    const { clock, log } = logOf();
    const a = log.client("a");
    const node = { id: "a", address: undefined, role: "writer", isFollowerOnly: false, lsn: 0 } as const;
    const presence = await a.announce(node, 500);
    log.pause("a");
    const renewed = presence.renew(node).catch(code);
    await clock.advance(499);
    expect(log.members.nodes).toHaveLength(1);
    await clock.advance(1);
    expect(log.members.nodes).toEqual([]);
    log.resume("a");
    expect(await renewed).toBe("KAYA_NOT_FOUND");
  });

  test("without a majority nothing is answered; waiting requests are done when it is back, or are lost", async () => {
    for (const pending of ["done", "dropped"] as const) {
      const { clock, log } = logOf();
      const a = log.client("a");
      const head = await claimed(a);
      log.loseMajority();
      expect(await clock.run(a.append(head, entry(1)).catch(code))).toBe("KAYA_IN_DOUBT");
      expect(await clock.run(a.head().catch(code))).toBe("KAYA_NO_MAJORITY");
      log.restoreMajority(pending);
      await clock.settle();
      expect((await a.head())?.lsn).toBe(pending === "done" ? 1 : 0);
    }
  });

  test("a full log refuses appends, but accepts trims", async () => {
    const { log } = logOf();
    const a = log.client("a");
    const head = await a.append(await claimed(a), entry(1));
    const base = await a.setBase(undefined, { lsn: 1, sequence: 1, bytes: 1, epoch: 1, name: "base" });
    log.isFull = true;
    expect(await a.append(head, entry(2)).catch(code)).toBe("KAYA_DISK_FULL");
    await a.trim(base, 1);
    log.isFull = false;
    expect((await a.append(head, entry(2))).lsn).toBe(2);
    expect(log.entries.map(({ lastLsn }) => lastLsn)).toEqual([2]);
  });

  test("the same program gives the same history in each run", async () => {
    const run = async () => {
      const { clock, log } = logOf({ latencyMs: 3 });
      const told: string[] = [];
      log.faults = ({ number }) => (number % 5 === 0 ? { kind: "requestLost", afterMs: 10 } : undefined);
      const writer = async (name: string) => {
        const client = log.client(name);
        for (let round = 0; round < 20; round++) {
          const outcome = await claimed(client).then(({ epoch }) => epoch, code);
          told.push(`${clock.now()} ${name} ${outcome}`);
          await clock.sleep(round % 3);
        }
      };
      await clock.run(Promise.all([writer("a"), writer("b")]));
      return told;
    };
    const first = await run();
    expect(first.length).toBe(40);
    expect(await run()).toEqual(first);
  });
});

describe("virtual time", () => {
  test("sleepers wake in order, and everything that one causes runs before the next one wakes", async () => {
    const clock = new SimClock();
    const order: string[] = [];
    const sleep = async (ms: number, name: string) => {
      await clock.sleep(ms);
      order.push(`${name} ${clock.now()}`);
    };
    void sleep(20, "late");
    void sleep(10, "first").then(() => sleep(5, "after"));
    void sleep(10, "second");
    await clock.advance(30);
    expect(order).toEqual(["first 10", "second 10", "after 15", "late 20"]);
    expect(clock.now()).toBe(30);
  });

  test("time moves by itself if the clock is automatic", async () => {
    const clock = new SimClock({ isAutomatic: true });
    await clock.sleep(3_600_000);
    expect(clock.now()).toBe(3_600_000);
  });

  test("work that can never settle is reported", async () => {
    await expect(new SimClock().run(new Promise(() => {}))).rejects.toThrow(/no sleeper/);
  });
});
