import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { ENGINE_CHANNELS, type SourceStateMessage } from "@kaya/engine";
import { prometheusText } from "@kaya/engine/prometheus";
import { SimDisk } from "@kaya/io";
import { expect, test } from "vitest";
import { ClusterEngine } from "../../src/index.js";
import { SimClock, SimLog } from "../../src/testing/index.js";

function open(): Promise<ClusterEngine> {
  const clock = new SimClock({ isAutomatic: true });
  const log = new SimLog({ clock }).client("node-1");
  return ClusterEngine.open({ nodeId: "node-1", log }, new SimDisk(), { timers: clock });
}

const lineOf = (text: string, name: string) => text.split("\n").find((line) => line.startsWith(name));

test("an open node shows the metrics of its engine and its own, a closed node only that it is closed", async () => {
  const db = await open();
  await db.put("a", "1");
  const text = prometheusText({ main: db });
  expect(lineOf(text, "kaya_up")).toBe('kaya_up{store="main"} 1');
  expect(lineOf(text, "kaya_cluster_role{")).toBe('kaya_cluster_role{store="main",role="writer"} 1');
  expect(lineOf(text, "kaya_cluster_append_duration_seconds_count")).toMatch(/ 1$/);
  expect(lineOf(text, "kaya_cluster_lsn{")).toMatch(/ 1$/);
  expect(lineOf(text, "kaya_cluster_lag_seconds")).toMatch(/ 0$/);
  await db.close();
  expect(prometheusText({ main: db }).split("\n").slice(2)).toEqual(['kaya_up{store="main"} 0', ""]);
});

test("instrument learns of a node when it is opened and when it is closed", async () => {
  const told: SourceStateMessage[] = [];
  const listener = (message: unknown) => void told.push(message as SourceStateMessage);
  subscribe(ENGINE_CHANNELS.source, listener);
  const db = await open();
  const message = { dataDir: undefined, source: db };
  expect(told).toEqual([{ ...message, state: "open" }]);
  await db.close();
  expect(told.slice(1)).toEqual([{ ...message, state: "closed" }]);
  unsubscribe(ENGINE_CHANNELS.source, listener);
});
