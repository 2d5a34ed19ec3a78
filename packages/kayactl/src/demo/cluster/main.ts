import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { whyNoEtcd } from "@kaya/cluster/testing";
import { colors } from "../colors.js";
import { story } from "./story.js";

/**
 * `npx pnpm@10 demo:cluster` simulates three machines with processes on this machine. While a client writes without pause, the writer is
 * killed, cut off and paused, and a member of etcd is killed. At the end, every acknowledged write must be on every node.
 */

// `demo:cluster | head` stops reading. The demo still runs to its end, and removes its files.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

const missing = whyNoEtcd();
if (missing !== undefined) {
  console.log(`The demo needs etcd, and ${missing}. Elsewhere: https://etcd.io/docs/latest/install/.`);
  console.log("It starts three members of its own on free ports, and uses no other etcd.");
  process.exit(1);
}

const directory = await mkdtemp(join(tmpdir(), "kaya-demo-cluster-"));
const interruption = new AbortController();
process.once("SIGINT", () => interruption.abort());
try {
  console.log(`Kaya demo of a cluster, in ${directory}`);
  const isKept = await story(directory, interruption.signal);
  if (!isKept) process.exitCode = 1;
} catch (error) {
  if (!interruption.signal.aborted) throw error;
  console.log(colors.yellow("\ninterrupted"));
  process.exitCode = 130;
} finally {
  await rm(directory, { recursive: true, force: true });
}
