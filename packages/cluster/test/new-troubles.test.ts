import { KayaError } from "@kaya/core";
import { describe, expect, it } from "vitest";
import { NewTroubles } from "../src/new-troubles.js";
import { SimClock } from "../src/testing/index.js";
import { Cluster } from "./cluster.js";

const full = new KayaError("KAYA_DISK_FULL", "no room");

describe("a trouble", () => {
  it("is reported after pauses that double, and immediately after the log made progress", async () => {
    const clock = new SimClock({ isAutomatic: true });
    const troubles = new NewTroubles(clock, 100);
    const told: number[] = [];
    for (let ms = 0; ms < 2_000; ms += 10) {
      if (troubles.isNew(full)) told.push(ms);
      await clock.sleep(10);
    }
    expect(told).toEqual([0, 100, 300, 700, 1_500]);
    expect(troubles.isNew(new KayaError("KAYA_DISK_FULL", "another"))).toBe(true);
    expect(troubles.isNew(new KayaError("KAYA_IO", full.message))).toBe(true);
    troubles.clear();
    expect(troubles.isNew(full)).toBe(true);
  });

  it("is reported each time if it is rare", async () => {
    const clock = new SimClock({ isAutomatic: true });
    const troubles = new NewTroubles(clock, 100);
    for (let i = 0; i < 20; i++) {
      expect(troubles.isNew(full)).toBe(true);
      await clock.sleep(1_000);
    }
  });

  it("is reported a few times by a node if it lasts, and each one is counted", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a", { presenceMs: 1_000 });
    await a.put("k", "1");
    const told: string[] = [];
    a.on("trouble", ({ message }) => told.push(message));
    cluster.log.partition("a");
    await cluster.clock.sleep(60_000);
    const { troubles } = a.stats().cluster;
    expect(told.length).toBeGreaterThan(1);
    expect(troubles).toBeGreaterThan(2 * told.length);
    for (const message of new Set(told))
      expect(told.filter((other) => other === message).length).toBeLessThanOrEqual(7);
    cluster.log.heal("a");
    await cluster.until(() => (a.stats().cluster.contactAgeMs ?? Number.POSITIVE_INFINITY) < 1_000);
    await cluster.close();
  });
});
