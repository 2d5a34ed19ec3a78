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

test("an etcd that other programs compact is not compacted", async () => {
  const { history, revisions } = historyOf({ isCompacting: false });
  history.superseded("1", 100 * MIB);
  await history.compactTo("1");
  expect(revisions).toEqual([]);
});

test("history that is already compacted is not an error, any other failure is", async () => {
  const compacted = new EtcdError("compacted", "127.0.0.1:2379", "required revision has been compacted");
  await historyOf({ fails: compacted }).history.compactTo("5");
  const other = new Error("other");
  await expect(historyOf({ fails: other }).history.compactTo("5")).rejects.toBe(other);
  // In the background the next part is compacted after a failure.
  const { history, revisions } = historyOf({ fails: other });
  for (let version = 1; version <= 2; version++) {
    history.superseded(String(version), 8 * MIB);
    await new Promise(setImmediate);
  }
  expect(revisions).toEqual(["1", "2"]);
});
