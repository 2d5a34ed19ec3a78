import { SimDisk } from "@kaya/io";
import { type ClusterEngine, directoryBlobStore } from "../../src/index.js";
import { Cluster } from "../cluster.js";

/** The largest entry of the shared log. */
export const ENTRY = 4_096;
/** Each value of `fill` takes a quarter of an entry, and the bound is 64 values. */
export const SIZES = { tailMaxBytes: 16 * ENTRY } as const;

export function setUp() {
  const cluster = new Cluster({ maxEntryBytes: ENTRY });
  return { cluster, store: directoryBlobStore(new SimDisk()) };
}

export async function fill(node: ClusterEngine, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await node.put(`key ${i % 50}`, `${i} ${"x".repeat(1_000)}`);
}
