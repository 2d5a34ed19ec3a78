// Starts an etcd, prints its processes and its directory, and waits to be killed.
import { startEtcd } from "@kaya/cluster/testing";

const etcd = await startEtcd();
console.log(JSON.stringify({ pids: etcd.members.map(({ pid }) => pid), root: etcd.directory }));
setInterval(() => {}, 1000);
