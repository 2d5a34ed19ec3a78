import { createHash } from "node:crypto";
import { colors } from "../colors.js";
import { paymentOf } from "./client.js";
import type { NodeProcess } from "./node-process.js";

const SHOWN = 10;

/** Reads all data of each node when the node has all records of the log. @returns whether all nodes have all acknowledged writes, and are equal */
export async function checkNodes(
  nodes: readonly NodeProcess[],
  acknowledged: readonly number[],
): Promise<boolean> {
  const digests = new Set<string>();
  let isKept = true;
  for (const { id, address } of nodes) {
    const response = await fetch(`${address}/entries`);
    const text = await response.text();
    if (!response.ok) throw new Error(`${id} cannot be read: ${text}`);
    const digest = createHash("sha256").update(text).digest("hex").slice(0, 16);
    digests.add(digest);
    const lines = text.split("\n").filter((line) => line !== "");
    const found = new Map(lines.map((line) => line.split("\t") as [key: string, value: string]));
    const lost = acknowledged.filter((n) => found.get(`order:${n}`) !== paymentOf(n));
    isKept &&= lost.length === 0;
    const verdict =
      lost.length === 0
        ? colors.green("none is lost")
        : colors.red(`LOST: ${lost.slice(0, SHOWN).join(", ")}`);
    console.log(
      `  ${id}: acknowledged ${acknowledged.length}, in the store ${found.size}, digest ${digest}: ${verdict}`,
    );
  }
  if (digests.size === 1) return isKept;
  console.log(`  ${colors.red("THE NODES DIFFER")}`);
  return false;
}
