import assert from "node:assert/strict";
import type { LogPage } from "../../shared-log.js";
import {
  appendAll,
  entryAfter,
  type LogCheck,
  lastOf,
  ORIGIN,
  rejects,
  sameEntry,
} from "./log-under-test.js";

export const READING: readonly LogCheck[] = [
  {
    name: "a read begins with the whole entry that has the next record",
    run: async (test) => {
      const { log, head } = await test.writer();
      await appendAll(log, head, [2, 3, 1]);
      const firstBehind = async (after: number) => (await log.read(after)).entries[0]?.firstLsn;
      assert.deepEqual(await Promise.all([0, 1, 2, 3, 4, 5].map(firstBehind)), [1, 1, 3, 3, 3, 6]);
      const { entries, head: newest } = await log.read(6);
      assert.deepEqual([entries, newest.lsn], [[], 6]);
      assert.deepEqual((await log.read(1000)).entries, []);
    },
  },
  {
    name: "a read returns as many bytes as its limit allows, and at least one entry",
    run: async (test) => {
      const { log, head: first } = await test.writer();
      let head = first;
      for (let count = 0; count < 100; count++) head = await log.append(head, entryAfter(head, 1, 1000));
      assert.equal((await log.read(0, { maxBytes: 1 })).entries.length, 1);
      assert.equal((await log.read(0, { maxBytes: 10_500 })).entries.length, 10);
      const pages: LogPage[] = [];
      for (let after = 0; after < 100; after = lastOf(pages, 0))
        pages.push(await log.read(after, { maxBytes: 30_000 }));
      assert.ok(pages.length <= 5, `${pages.length} pages where 4 have room for all`);
      assert.equal(lastOf(pages, 0), 100);
    },
  },
  {
    name: "follow gives the existing entries, then the new ones, without a gap, and ends when its signal aborts",
    run: async (test) => {
      const { log, head: first } = await test.writer();
      let head = await appendAll(log, first, [1, 2, 3]);
      const pages: LogPage[] = [];
      const stop = new AbortController();
      const following = (async () => {
        for await (const page of test.client("b").follow(0, { signal: stop.signal })) pages.push(page);
      })();
      await test.until("the existing entries are followed", () => lastOf(pages, 0) === 6);
      for (let count = 0; count < 20; count++) head = await log.append(head, entryAfter(head, 2, 500));
      await test.until("the new entries are followed", () => lastOf(pages, 0) === 46);
      const entries = pages.flatMap((page) => page.entries);
      sameEntry(entries.at(-1), { ...entryAfter({ ...head, lsn: 44, sequence: head.sequence - 4 }, 2, 500) });
      stop.abort();
      await following;
      assert.deepEqual(pages.at(-1)?.head, head);
    },
  },
  {
    name: "follow gives its first page immediately, and a page for each claim, also without entries",
    run: async (test) => {
      const { log, head } = await test.writer("a");
      await appendAll(log, head, [1]);
      const epochs: number[] = [];
      const stop = new AbortController();
      const following = (async () => {
        for await (const page of test.client("c").follow(1, { signal: stop.signal })) {
          assert.deepEqual(page.entries, []);
          epochs.push(page.head.epoch);
        }
      })();
      await test.until("the first page comes", () => epochs.length > 0);
      await test.writer("b");
      await test.until("the claim is reported", () => epochs.at(-1) === 2);
      assert.equal(epochs[0], 1);
      stop.abort();
      await following;
    },
  },
  {
    name: "follow can begin in the middle of an entry, and continues when the writer changes",
    run: async (test) => {
      const { log, head } = await test.writer("a");
      const pages: LogPage[] = [];
      const stop = new AbortController();
      let last = await appendAll(log, head, [4]);
      const following = (async () => {
        for await (const page of test.client("c").follow(2, { signal: stop.signal })) pages.push(page);
      })();
      for (const writer of ["b", "c", "d"]) {
        const client = test.client(writer);
        last = await client.claim(last, { writer, origin: ORIGIN });
        last = await appendAll(client, last, [1, 2]);
      }
      await test.until("all is followed", () => lastOf(pages, 2) === 13);
      assert.equal(pages[0]?.entries[0]?.firstLsn, 1);
      stop.abort();
      await following;
    },
  },
  {
    name: "a slow reader of follow also gets everything",
    run: async (test) => {
      const { log, head: first } = await test.writer();
      const stop = new AbortController();
      const pages: LogPage[] = [];
      const following = (async () => {
        for await (const page of test.client("b").follow(0, { signal: stop.signal })) {
          pages.push(page);
          await test.wait(50);
        }
      })();
      let head = first;
      for (let count = 0; count < 30; count++)
        head = await log.append(head, entryAfter(head, 1, log.maxEntryBytes));
      await test.until("all is followed", () => lastOf(pages, 0) === 30);
      stop.abort();
      await following;
    },
  },
  {
    name: "follow before the first claim rejects",
    run: async (test) => {
      const log = test.client();
      const following = (async () => {
        for await (const _ of log.follow(0, { signal: new AbortController().signal })) break;
      })();
      await rejects("KAYA_NOT_FOUND", following);
    },
  },
];
