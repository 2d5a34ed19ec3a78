import { describe, expect, it } from "vitest";
import { Clock, clockOf, once, SYSTEM_CLOCK } from "../src/clock.js";
import { Engine } from "../src/index.js";
import { TestClock } from "./support/test-clock.js";
import { rejection } from "./support/text.js";

describe("the clock of an engine", () => {
  it("follows the wall clock forward, and goes on from where it was when that is set back", () => {
    const source = new TestClock();
    const { now } = new Clock(source);
    const start = now();
    expect(start).toBe(TestClock.START);
    source.pass(10);
    expect(now() - start).toBe(10);
    source.set(5000);
    expect(now() - start).toBe(5010);
    source.set(-8000);
    expect(now() - start).toBe(5010);
    source.pass(7);
    expect(now() - start).toBe(5017);
    source.set(3000); // as it was
    expect(now() - start).toBe(5017);
    source.pass(1);
    expect(now() - start).toBe(5018);
    source.set(5001); // ahead of where it was
    expect(now() - start).toBe(5019);
  });

  it("begins when it is made, not when it is asked first", () => {
    const source = new TestClock();
    const { now } = new Clock(source);
    source.set(-5000);
    source.pass(10);
    expect(now()).toBe(TestClock.START + 10);
  });

  it("gives whole milliseconds, and loses no part of one however often it is asked", () => {
    let elapsed = 0.25;
    const { now } = new Clock({ wall: () => 1000, elapsed: () => elapsed });
    expect(now()).toBe(1000);
    for (let i = 0; i < 1000; i++) {
      elapsed += 0.125;
      expect(Number.isInteger(now())).toBe(true);
    }
    expect(now()).toBe(1125);
  });

  it("is the same one for all engines of a process, and gives the time as it is", () => {
    expect(clockOf(undefined)).toBe(SYSTEM_CLOCK);
    const before = Date.now();
    const first = SYSTEM_CLOCK.now();
    expect(first).toBeGreaterThanOrEqual(before);
    expect(SYSTEM_CLOCK.now()).toBeGreaterThanOrEqual(first);
  });

  it("is asked once where one moment is wanted, and not at all where nobody asks", () => {
    const source = new TestClock();
    const clock = new Clock(source);
    const before = source.reads;
    const now = once(clock.now);
    expect(source.reads).toBe(before);
    expect([now(), source.pass(5), now()]).toEqual([TestClock.START, undefined, TestClock.START]);
    expect(source.reads).toBe(before + 1);
  });

  it("is refused where it is none, before anything is opened", async () => {
    for (const clock of [{}, { wall: () => 1 }, { wall: 1, elapsed: () => 1 }, null])
      await rejection("KAYA_INVALID_ARGUMENT", Engine.open({}, undefined, { clock } as never));
  });
});
