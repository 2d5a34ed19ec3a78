import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { CLUSTER_METRICS } from "../../src/metrics/cluster-metrics.js";

const SUFFIXES: Readonly<Record<string, string>> = { By: "_bytes", s: "_seconds" };

test("the page has the line of each metric in the code", async () => {
  const page = await readFile(new URL("../../METRICS.md", import.meta.url), "utf8");
  const lines = CLUSTER_METRICS.map(({ name, unit, kind, help }) => {
    const prometheus = `${name.replaceAll(".", "_")}${SUFFIXES[unit] ?? ""}${kind === "counter" ? "_total" : ""}`;
    return `| \`${prometheus}\` | \`${name}\` | ${kind} | ${help} |`;
  });
  const table = ["| Prometheus | OpenTelemetry | | |", "|---|---|---|---|", ...lines];
  // If this fails: copy these lines into the page.
  expect(page.split("\n").filter((line) => line.includes("| `kaya."))).toEqual(lines);
  expect(page).toContain(table.join("\n"));
});
