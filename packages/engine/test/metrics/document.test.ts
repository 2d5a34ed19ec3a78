import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { METRIC_ROWS } from "../../src/metrics/metric-rows.js";
import { prometheusName } from "../../src/metrics/prometheus-text.js";

test("the page has a line for each metric, as the code has it", async () => {
  const page = await readFile(new URL("../../METRICS.md", import.meta.url), "utf8");
  const lines = METRIC_ROWS.map((row) => {
    const kind = row.kind === "updowncounter" ? "gauge" : row.kind;
    return `| \`${prometheusName(row)}\` | \`${row.name}\` | ${kind} | ${row.help} |`;
  });
  const table = ["| Prometheus | OpenTelemetry | | |", "|---|---|---|---|", ...lines];
  // Where it differs: put this into the page.
  expect(page.split("\n").filter((line) => line.startsWith("| `kaya_") && line.includes("| `kaya."))).toEqual(
    lines,
  );
  expect(page).toContain(table.join("\n"));
});
