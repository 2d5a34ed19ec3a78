import type { Register } from "../context.js";
import { registerClusterFollow } from "./cluster-follow.js";
import { registerClusterLeave } from "./cluster-leave.js";
import { registerClusterPromote } from "./cluster-promote.js";
import { registerClusterStatus } from "./cluster-status.js";

export const registerCluster: Register = (program, execute) => {
  const cluster = program
    .command("cluster")
    .summary("inspect and control a store on several machines")
    .description("Inspect a cluster whose log is in etcd, choose its writer, follow it, or leave it.");
  registerClusterStatus(cluster, execute);
  registerClusterPromote(cluster, execute);
  registerClusterFollow(cluster, execute);
  registerClusterLeave(cluster, execute);
};
