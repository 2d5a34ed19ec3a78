import { SimDisk } from "@kaya/io";
import { type ClusterEngine, directoryBlobStore } from "../../src/index.js";
import type { SimLog } from "../../src/testing/index.js";
import { Cluster } from "../cluster.js";

/** The largest entry of the shared log. */
export const ENTRY = 4_096;
/** Each value of `fill` takes a quarter of an entry, and the bound is 64 values. */
export const SIZES = { tailMaxBytes: 16 * ENTRY } as const;

export function setUp() {
  const cluster = new Cluster({ maxEntryBytes: ENTRY });
  return { cluster, store: directoryBlobStore(new SimDisk()) };
}

/** Loses the reply of the `nth` naming of a base, and then the next read of the base. @returns counts of namings, and of the losses so far */
export function loseNaming(log: SimLog, nth: number, reply: { readonly afterMs?: number } = {}) {
  const counts = { named: 0, lost: 0 };
  log.faults = ({ kind }) => {
    if (kind === "setBase" && ++counts.named === nth) {
      counts.lost = 1;
      return { kind: "replyLost", ...reply };
    }
    if (kind === "base" && counts.lost === 1) {
      counts.lost = 2;
      return { kind: "requestLost", afterMs: 0 };
    }
    return undefined;
  };
  return counts;
}

export async function fill(node: ClusterEngine, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await node.put(`key ${i % 50}`, `${i} ${"x".repeat(1_000)}`);
}
