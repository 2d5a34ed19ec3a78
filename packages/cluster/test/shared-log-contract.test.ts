import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { etcdLog } from "@kaya/cluster";
import {
  type EtcdCluster,
  SimClock,
  SimLog,
  sharedLogContract,
  startEtcd,
  whyNoEtcd,
} from "@kaya/cluster/testing";
import { afterAll, beforeAll, describe, test } from "vitest";

describe("the contract of a shared log, in memory", () => {
  const open = async () => {
    const clock = new SimClock();
    const log = new SimLog({ clock });
    return {
      connect: (name: string) => log.client(name),
      wait: (ms: number) => clock.advance(ms),
      close: async () => {},
    };
  };
  for (const { name, run } of sharedLogContract(open)) test(name, run);
});

const missing = whyNoEtcd();
const title = `the contract of a shared log, in etcd${missing === undefined ? "" : ` (skipped: ${missing})`}`;

describe.skipIf(missing !== undefined)(title, () => {
  let etcd: EtcdCluster;
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd?.stop());

  const open = async () => {
    const prefix = `/contract/${randomUUID()}`;
    const connect = () => etcdLog({ ...etcd.connection, prefix });
    return { connect, wait: (ms: number) => sleep(ms), close: async () => {} };
  };
  for (const { name, run } of sharedLogContract(open)) test(name, run);
});
