import assert from "node:assert/strict";
import type { LogHead } from "../../shared-log.js";
import { appendAll, entryAfter, type LogCheck, ORIGIN, rejects } from "./log-under-test.js";

function baseAt(head: LogHead, lsn: number, name = `base-${lsn}`) {
  return { lsn, sequence: 2 * lsn, bytes: 0, epoch: head.epoch, name };
}

export const BASES: readonly LogCheck[] = [
  {
    name: "a base is named, and replaced by a newer one",
    run: async (test) => {
      const { log, head: first } = await test.writer();
      const head = await appendAll(log, first, [5, 5]);
      const one = await log.setBase(undefined, baseAt(head, 5));
      const { version, ...rest } = one;
      assert.deepEqual(rest, baseAt(head, 5));
      assert.deepEqual(await test.client("b").base(), one);
      const two = await log.setBase(one, baseAt(head, 10));
      assert.deepEqual(await log.base(), two);
      assert.notEqual(two.version, version);
      assert.deepEqual(await log.head(), head);
    },
  },
  {
    name: "a base that is not newer than the last one, or is newer than the head, is refused",
    run: async (test) => {
      const { log, head: first } = await test.writer();
      const head = await appendAll(log, first, [5, 5]);
      await rejects("KAYA_INVALID_ARGUMENT", log.setBase(undefined, baseAt(head, 11)));
      const base = await log.setBase(undefined, baseAt(head, 5));
      await rejects("KAYA_INVALID_ARGUMENT", log.setBase(base, baseAt(head, 5, "again")));
      await rejects("KAYA_INVALID_ARGUMENT", log.setBase(base, baseAt(head, 4)));
      assert.deepEqual(await log.base(), base);
    },
  },
  {
    name: "setBase is fenced if it does not expect the newest base",
    run: async (test) => {
      const { log, head: first } = await test.writer();
      const head = await appendAll(log, first, [5, 5]);
      const one = await log.setBase(undefined, baseAt(head, 5));
      await rejects("KAYA_FENCED", log.setBase(undefined, baseAt(head, 10)));
      const two = await log.setBase(one, baseAt(head, 6));
      await rejects("KAYA_FENCED", log.setBase(one, baseAt(head, 10)));
      assert.deepEqual(await log.base(), two);
    },
  },
  {
    name: "a claim keeps the base, and the earlier writer can neither replace it nor trim",
    run: async (test) => {
      const { log, head: first } = await test.writer("a");
      const head = await appendAll(log, first, [5, 5]);
      const old = await log.setBase(undefined, baseAt(head, 5));
      const other = await test.writer("b");
      await rejects("KAYA_FENCED", log.setBase(old, baseAt(head, 10)));
      await rejects("KAYA_FENCED", log.trim(old, 5));
      const base = await other.log.base();
      const { version, ...kept } = base ?? old;
      assert.deepEqual(kept, baseAt(head, 5));
      assert.notEqual(version, old.version);
      assert.equal((await log.read(0)).entries[0]?.firstLsn, 1);
      const next = await other.log.setBase(base, baseAt(other.head, 10));
      await other.log.trim(next, 10);
    },
  },
  {
    name: "an earlier writer cannot name the first base after a claim",
    run: async (test) => {
      const { log, head: first } = await test.writer("a");
      const head = await appendAll(log, first, [5]);
      const other = await test.writer("b");
      await rejects("KAYA_FENCED", log.setBase(undefined, baseAt(head, 5)));
      assert.equal(await log.base(), undefined);
      await other.log.setBase(undefined, baseAt(other.head, 5));
    },
  },
  {
    name: "a trim removes entries whose records are all in the base, and may be repeated",
    run: async (test) => {
      const { log, head: first } = await test.writer();
      const head = await appendAll(log, first, [2, 3, 4]);
      const base = await log.setBase(undefined, baseAt(head, 7));
      await rejects("KAYA_INVALID_ARGUMENT", log.trim(base, 8));
      assert.equal((await log.read(0)).entries.length, 3);
      await log.trim(base, 4);
      assert.equal((await log.read(2)).entries[0]?.firstLsn, 3);
      await rejects("KAYA_LOG_TRUNCATED", log.read(1));
      await log.trim(base, 7);
      await log.trim(base, 7);
      await rejects("KAYA_LOG_TRUNCATED", log.read(2));
      assert.equal((await log.read(5)).entries[0]?.firstLsn, 6);
      assert.deepEqual(await log.head(), head);
      const following = (async () => {
        for await (const _ of log.follow(0, { signal: new AbortController().signal })) break;
      })();
      await rejects("KAYA_LOG_TRUNCATED", following);
    },
  },
  {
    name: "a log can continue after all of its entries were trimmed",
    run: async (test) => {
      const { log, head: first } = await test.writer();
      const head = await appendAll(log, first, [2, 3]);
      await log.trim(await log.setBase(undefined, baseAt(head, 5)), 5);
      await rejects("KAYA_LOG_TRUNCATED", log.read(4));
      assert.deepEqual((await log.read(5)).entries, []);
      const next = await log.append(head, entryAfter(head));
      assert.equal((await log.read(5)).entries[0]?.lastLsn, 6);
      assert.equal((await test.client("b").claim(next, { writer: "b", origin: ORIGIN })).lsn, 6);
    },
  },
  {
    name: "a follower continues after trims of records that it has",
    run: async (test) => {
      const { log, head: first } = await test.writer();
      const seen: number[] = [];
      const stop = new AbortController();
      const following = (async () => {
        for await (const page of test.client("b").follow(0, { signal: stop.signal }))
          seen.push(...page.entries.map(({ lastLsn }) => lastLsn));
      })();
      let head = first;
      let base = await log.base();
      for (let count = 0; count < 10; count++) {
        head = await appendAll(log, head, [1, 1, 1]);
        await test.until("the follower has it", () => seen.at(-1) === head.lsn);
        base = await log.setBase(base, baseAt(head, head.lsn));
        await log.trim(base, head.lsn);
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 30 }, (_, index) => index + 1),
      );
      stop.abort();
      await following;
    },
  },
];
