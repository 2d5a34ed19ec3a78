import { Readable } from "node:stream";
import { expect, test } from "vitest";
import type { EtcdClient } from "../src/etcd/etcd-client.js";
import { EtcdFollower } from "../src/etcd/etcd-follower.js";
import type { EtcdReader } from "../src/etcd/etcd-reader.js";
import { EtcdKeys } from "../src/etcd/keys.js";
import type { LogEntry, LogHead, LogPage } from "../src/shared-log.js";

const keys = new EtcdKeys("/log");

const entryAt = (lsn: number): LogEntry => ({
  firstLsn: lsn,
  lastLsn: lsn,
  lastSequence: lsn,
  bytes: new Uint8Array(8),
});
const headAt = (lsn: number) => ({ lsn, version: String(10 + lsn) }) as LogHead;
const entryEvent = (lsn: number) => ({ type: 0, kv: { key: keys.entry(lsn), lsn } });
const headEvent = (lsn: number) => ({ type: 0, kv: { key: keys.head, lsn } });

/** Answers of a watch of etcd, each a list of events. The watch then stays open. */
class Watch extends Readable {
  constructor(...answers: readonly (readonly object[])[]) {
    super({ objectMode: true, read: () => undefined });
    this.push({ created: true, canceled: false, events: [] });
    for (const events of answers) this.push({ created: false, canceled: false, events });
  }

  write(): void {}

  cancel(): void {
    this.push(null);
  }
}

/** Follows a log of `logs[n]` records at the n-th read of a page, with the n-th watch. */
function follow(logs: readonly number[], watches: readonly Watch[]) {
  const [reads, opened] = [[...logs], [...watches]];
  const client = {
    closing: new AbortController().signal,
    timeoutMs: 10_000,
    rotate: () => undefined,
    stream: async () => opened.shift() ?? new Watch(),
  };
  const reader = {
    read: async (after: number) => {
      const last = reads.shift() ?? logs.at(-1) ?? 0;
      const entries = Array.from({ length: Math.max(last - after, 0) }, (_, i) => entryAt(after + 1 + i));
      return { entries, head: headAt(last), revision: String(10 + last) };
    },
    head: async () => headAt(logs.at(-1) ?? 0),
    headOf: ({ lsn }: { lsn: number }) => headAt(lsn),
    entryOf: ({ lsn }: { lsn: number }) => entryAt(lsn),
  };
  const troubles: string[] = [];
  const stop = new AbortController();
  const follower = new EtcdFollower(
    "etcd",
    client as unknown as EtcdClient,
    keys,
    reader as unknown as EtcdReader,
  );
  const pages = follower.follow(0, {
    signal: stop.signal,
    onTrouble: (error) => troubles.push(String(error)),
  });
  return { pages, troubles, stop };
}

async function upTo(lsn: number, { pages, stop }: ReturnType<typeof follow>): Promise<LogPage[]> {
  const found: LogPage[] = [];
  for await (const page of pages) {
    found.push(page);
    if (page.head.lsn === lsn) break;
  }
  stop.abort();
  return found;
}

const lsnsOf = (pages: readonly LogPage[]) =>
  pages.flatMap(({ entries }) => entries.map(({ lastLsn }) => lastLsn));

test("entries that a watch brings come in order, also if the events of a transaction come in several answers", async () => {
  const following = follow(
    [0],
    [
      new Watch(
        [entryEvent(1), headEvent(1)],
        [entryEvent(2)],
        [headEvent(2), entryEvent(3)],
        [headEvent(3)],
      ),
    ],
  );
  expect(lsnsOf(await upTo(3, following))).toEqual([1, 2, 3]);
  expect(following.troubles).toEqual([]);
});

test.each([
  ["an entry", [[entryEvent(1), headEvent(1)], [headEvent(2)], [entryEvent(3), headEvent(3)]]],
  [
    "an entry and its head",
    [
      [entryEvent(1), headEvent(1)],
      [entryEvent(3), headEvent(3)],
    ],
  ],
  [
    "an entry between others of one answer",
    [[entryEvent(1), headEvent(1), headEvent(2), entryEvent(3), headEvent(3)]],
  ],
])(
  "if a watch loses %s, the follower says so and reads pages: nothing is missing, and no page is ahead of its head",
  async (_, answers) => {
    const following = follow([0, 3], [new Watch(...answers)]);
    const pages = await upTo(3, following);
    expect(lsnsOf(pages)).toEqual([1, 2, 3]);
    for (const { entries, head } of pages) expect(entries.at(-1)?.lastLsn ?? head.lsn).toBe(head.lsn);
    expect(following.troubles).toEqual([
      expect.stringMatching(/the watch of etcd brought LSN \d after LSN 1/),
    ]);
  },
);
