import { describe, expect, test } from "vitest";
import { limitOf, withUsage } from "../src/usage.js";

const idle = { loop: 0.2, cores: 0.3, coresThere: 2 };

describe("what holds a figure back", () => {
  test("is what was busy, or that it waits", () => {
    expect(limitOf({ ...idle, loop: 0.97, cores: 1.1 })).toBe(
      "the event loop is busy (--profile shows where): event loop 97 % busy, 1.1 of 2 cores",
    );
    expect(limitOf({ ...idle, loop: 0.97, cores: 1.9 })).toMatch(/^all cores are busy/);
    expect(limitOf({ ...idle, loop: 0.97 })).toMatch(/^the event loop is held up, by synchronous reads/);
    expect(limitOf({ ...idle, disk: { read: 120.4, written: 3 } })).toBe(
      "neither the event loop nor the cores are busy: it waits: event loop 20 % busy, 0.3 of 2 cores, disk 120 MiB/s read and 3 written",
    );
  });

  test("usage comes with what the work gives", async () => {
    const { value, usage } = await withUsage(async () => {
      const end = performance.now() + 20;
      while (performance.now() < end);
      return 7;
    });
    expect(value).toBe(7);
    expect(usage.cores).toBeGreaterThan(0);
    expect(usage.coresThere).toBeGreaterThan(0);
  });
});
