import assert from "node:assert/strict";
import { entryAfter, type LogCheck, ORIGIN, rejects, sameEntry } from "./log-under-test.js";

export const APPENDING: readonly LogCheck[] = [
  {
    name: "an entry is read as it was written, on each client",
    run: async (test) => {
      const { log, head } = await test.writer();
      const entry = entryAfter(head, 3, 1000);
      const next = await log.append(head, entry);
      assert.deepEqual(
        [next.epoch, next.lsn, next.sequence, next.writer, next.logId],
        [1, 3, 6, "a", ORIGIN.logId],
      );
      assert.ok(next.bytes >= head.bytes + 1000);
      assert.notEqual(next.version, head.version);
      for (const client of [log, test.client("b")]) {
        const page = await client.read(0);
        assert.equal(page.entries.length, 1);
        sameEntry(page.entries[0], entry);
        assert.deepEqual(page.head, next);
        assert.deepEqual(await client.head(), next);
      }
    },
  },
  {
    name: "an append to a head that is not the newest is fenced, and does nothing",
    run: async (test) => {
      const { log, head } = await test.writer();
      const next = await log.append(head, entryAfter(head));
      await rejects("KAYA_FENCED", log.append(head, entryAfter(head, 1, 50)));
      assert.deepEqual(await log.head(), next);
      assert.equal((await log.read(0)).entries.length, 1);
    },
  },
  {
    name: "a claim fences the earlier writer for ever",
    run: async (test) => {
      const { log, head } = await test.writer("a");
      const other = await test.writer("b");
      const error = await rejects("KAYA_FENCED", log.append(head, entryAfter(head)));
      assert.equal(error.leader, "b:1");
      const next = await other.log.append(other.head, entryAfter(other.head));
      await rejects("KAYA_FENCED", log.append(head, entryAfter(head)));
      assert.deepEqual(await log.head(), next);
    },
  },
  {
    name: "of appends to the same head exactly one succeeds, and its bytes are in the log",
    run: async (test) => {
      const { log, head } = await test.writer();
      const clients = [log, test.client("b"), test.client("c")];
      const entries = clients.map((_, index) => entryAfter(head, 1, 100 + index));
      const appends = clients.map((client, index) => client.append(head, entries[index] ?? entryAfter(head)));
      const outcomes = await Promise.allSettled(appends);
      const winners = entries.filter((_, index) => outcomes[index]?.status === "fulfilled");
      assert.equal(winners.length, 1);
      const [winner] = winners;
      assert.ok(winner !== undefined);
      const page = await log.read(0);
      assert.equal(page.entries.length, 1);
      sameEntry(page.entries[0], winner);
    },
  },
  {
    name: "an entry of the largest size fits, and a larger one is refused before anything is sent",
    run: async (test) => {
      const { log, head } = await test.writer();
      const largest = entryAfter(head, 5, log.maxEntryBytes);
      await rejects("KAYA_INVALID_ARGUMENT", log.append(head, entryAfter(head, 5, log.maxEntryBytes + 1)));
      const next = await log.append(head, largest);
      sameEntry((await log.read(0)).entries[0], largest);
      assert.equal(next.lsn, 5);
    },
  },
  {
    name: "an entry that cannot follow the head is refused, and does nothing",
    run: async (test) => {
      const { log, head: first } = await test.writer();
      const head = await log.append(first, entryAfter(first, 2));
      const right = entryAfter(head, 2);
      const wrong = [
        { ...right, firstLsn: head.lsn },
        { ...right, firstLsn: head.lsn + 2 },
        { ...right, lastLsn: head.lsn },
        { ...right, lastSequence: head.sequence - 1 },
        { ...right, bytes: new Uint8Array(0) },
      ];
      for (const entry of wrong) await rejects("KAYA_INVALID_ARGUMENT", log.append(head, entry));
      assert.deepEqual(await log.head(), head);
    },
  },
  {
    name: "the caller may change its bytes once the call has returned",
    run: async (test) => {
      const { log, head } = await test.writer();
      const entry = entryAfter(head);
      const given = { ...entry, bytes: entry.bytes.slice() };
      const appending = log.append(head, given);
      given.bytes.fill(0);
      await appending;
      sameEntry((await log.read(0)).entries[0], entry);
    },
  },
];
