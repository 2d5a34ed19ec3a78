import assert from "node:assert/strict";
import { Engine } from "@kaya/engine";
import type { Say } from "./main.js";
import { TimeSeries } from "./time-series.js";

const HOUR = 3_600_000;
const RETENTION = { points: HOUR, rollups: 24 * HOUR, step: 5 };

/** Two points have the same time. */
const timeOf = (number: number) => Math.floor(number / 2);

export async function check(dataDir: string, said: readonly string[]): Promise<void> {
  await using db = await Engine.open({ dataDir });
  const series = new TimeSeries(db, RETENTION);
  const found: number[] = [];
  for await (const { value } of series.range("load", 0, Infinity)) found.push(value);
  assert.equal(new Set(found).size, found.length, "a point is there twice");
  const values = new Set(found);
  for (const line of said) assert(values.has(Number(line)), `the point ${line} is lost`);
  for (const rollup of await series.rollups("load", 0, Infinity)) {
    let sum = 0;
    let count = 0;
    for await (const { value } of series.range("load", rollup.at, rollup.at + RETENTION.step)) {
      sum += value;
      count++;
    }
    assert.deepEqual(
      [rollup.count, rollup.sum],
      [count, sum],
      `the roll-up of ${rollup.at} is of other points`,
    );
  }
}

export async function work(dataDir: string, say: Say): Promise<void> {
  const series = new TimeSeries(await Engine.open({ dataDir }), RETENTION);
  let next = 2 * Date.now();
  for await (const { value } of series.range("load", 0, Infinity)) next = Math.max(next, value + 1);
  const underWay = new Set<number>();
  const add = async () => {
    for (;;) {
      const number = next++;
      underWay.add(number);
      await series.add("load", number, timeOf(number));
      underWay.delete(number);
      say(String(number));
    }
  };
  const rollUp = async () => {
    for (;;) await series.rollUp("load", timeOf(Math.min(...underWay))); // no point is late
  };
  await Promise.all([add(), add(), add(), rollUp()]);
}
