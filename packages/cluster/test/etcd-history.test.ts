import { expect, test } from "vitest";
import type { EtcdClient } from "../src/etcd/etcd-client.js";
import { EtcdError } from "../src/etcd/etcd-errors.js";
import { EtcdHistory } from "../src/etcd/etcd-history.js";

const MIB = 1024 * 1024;

function historyOf(options: { isCompacting?: boolean; fails?: unknown } = {}) {
  const revisions: unknown[] = [];
  const write = async (_doing: string, _rpc: unknown, { revision }: { revision: unknown }) => {
    revisions.push(revision);
    if (options.fails !== undefined) throw options.fails;
  };
  const client = { write } as unknown as EtcdClient;
  return { history: new EtcdHistory(client, options.isCompacting ?? true), revisions };
}

test("history is compacted up to the head before the newest, each time appends have replaced 8 MiB of heads", async () => {
  const { history, revisions } = historyOf();
  for (let version = 1; version <= 40; version++) {
    history.superseded(String(version), MIB);
    await new Promise(setImmediate);
  }
  expect(revisions).toEqual(["8", "16", "24", "32", "40"]);
});

test("small heads count with the space that etcd needs for each", async () => {
  const { history, revisions } = historyOf();
  for (let version = 1; version <= 50_000; version++) history.superseded(String(version), 1);
  expect(revisions).toHaveLength(1);
});

test("the history of a trim is compacted after the next append, because the trim may be the newest revision", async () => {
  const { history, revisions } = historyOf();
  history.trimmed("9");
  expect(revisions).toEqual([]);
  history.superseded("7", 1);
  expect(revisions).toEqual(["9"]);
  await new Promise(setImmediate);
  history.superseded("10", 1);
  history.trimmed("11");
  history.superseded("12", 1);
  expect(revisions).toEqual(["9", "12"]);
});

test("a trim during a compaction is compacted after a later append", async () => {
  const { history, revisions } = historyOf();
  history.superseded("1", 8 * MIB);
  history.trimmed("3");
  history.superseded("2", 1);
  expect(revisions).toEqual(["1"]);
  await new Promise(setImmediate);
  history.superseded("4", 1);
  expect(revisions).toEqual(["1", "4"]);
});

test("an etcd that other programs compact is not compacted", async () => {
  const { history, revisions } = historyOf({ isCompacting: false });
  history.trimmed("1");
  history.superseded("1", 100 * MIB);
  expect(revisions).toEqual([]);
});

test("a compaction that fails, or was already done, does not disturb an append, and the next one covers its part", async () => {
  const compacted = new EtcdError("compacted", "127.0.0.1:2379", "required revision has been compacted");
  for (const fails of [compacted, new Error("other")]) {
    const { history, revisions } = historyOf({ fails });
    for (let version = 1; version <= 2; version++) {
      history.superseded(String(version), 8 * MIB);
      await new Promise(setImmediate);
    }
    expect(revisions).toEqual(["1", "2"]);
  }
});
