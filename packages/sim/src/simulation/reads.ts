import { KayaError } from "@kaya/core";
import type { Engine, KeyValue, Snapshot } from "@kaya/engine";
import { quote, toBytes, toText } from "./bytes.js";
import { entriesOf, type Seen, type StateEntry } from "./state.js";
import type { ReadStep, StepRange } from "./steps.js";
import { mustHold } from "./violation.js";
import type { World } from "./world.js";
import { rangeOf } from "./write-input.js";

interface HeldSnapshot {
  readonly snapshot: Snapshot;
  readonly state: Seen;
}

interface HeldScan {
  readonly pages: AsyncIterator<KeyValue[]>;
  readonly expected: readonly StateEntry[];
  readonly found: StateEntry[];
}

/** More are not held at a time: the oldest is dropped. */
const MOST_HELD = 4;

/**
 * The reads of one process, each compared with the model as it is now or, for a snapshot or scan that is held, as it was
 * when that was made. The bytes that the engine gives are overwritten afterwards: they are the caller's.
 */
export class Reads {
  readonly #world: World;
  readonly #engine: Engine;
  readonly #snapshots: HeldSnapshot[] = [];
  readonly #scans: HeldScan[] = [];

  constructor(world: World, engine: Engine) {
    this.#world = world;
    this.#engine = engine;
  }

  /** If a fault strikes a table, its read may be rejected, and nothing else changes. */
  async run(step: ReadStep): Promise<void> {
    const { faults, digest } = this.#world;
    this.#world.reads++;
    const before = faults.strikes.length;
    try {
      await this.#run(step);
    } catch (error) {
      const strikes = faults.strikes.slice(before);
      if (!KayaError.is(error, "KAYA_IO") || strikes.length === 0) throw error;
      digest.add(`not read: ${error}`);
    }
  }

  async #run(step: ReadStep): Promise<void> {
    switch (step.step) {
      case "get":
        return mustEqual(
          textOf(await this.#engine.get(toBytes(step.key))),
          this.#visible.get(step.key),
          step.key,
        );
      case "get-sync":
        return mustEqual(
          textOf(this.#engine.getSync(toBytes(step.key))),
          this.#visible.get(step.key),
          step.key,
        );
      case "has":
        return mustEqual(
          `${await this.#engine.has(toBytes(step.key))}`,
          `${this.#visible.has(step.key)}`,
          step.key,
        );
      case "get-many":
        return this.#getMany(step.keys);
      case "count":
        return this.#count(step.range);
      case "size":
        return this.#size(step.range);
      case "scan":
        return this.#scan(step.range, step.pageSize);
      case "open-scan":
        return this.#openScan(step.range, step.pageSize);
      case "read-scan":
        return this.#readScan();
      case "open-snapshot":
        return hold(
          this.#snapshots,
          { snapshot: this.#engine.snapshot(), state: this.#visible },
          async ({ snapshot }) => snapshot.close(),
        );
      case "read-snapshot":
        return this.#readSnapshot(step);
    }
  }

  /** Every key that was ever written to, read without waiting. */
  checkAll(): void {
    const { timeline, faults } = this.#world;
    const visible = this.#visible;
    faults.calmly(() => {
      for (const key of timeline.knownKeys)
        mustEqual(textOf(this.#engine.getSync(toBytes(key))), visible.get(key), key);
    });
  }

  get #visible(): Seen {
    return this.#world.timeline.visible;
  }

  async #getMany(keys: readonly string[]): Promise<void> {
    const values = await this.#engine.getMany(keys.map(toBytes));
    for (const [i, key] of keys.entries()) mustEqual(textOf(values[i]), this.#visible.get(key), key);
    mustHold(
      values.length === keys.length,
      "wrong-read",
      () => `getMany of ${keys.length} gave ${values.length}`,
    );
  }

  async #count(range: StepRange): Promise<void> {
    const count = await this.#engine.count(rangeOf(range));
    const expected = entriesOf(this.#visible, range).length;
    mustHold(count === expected, "wrong-read", () => {
      return `count of ${JSON.stringify(range)} gave ${count} where there are ${expected}`;
    });
  }

  async #size(range: StepRange): Promise<void> {
    const bytes = await this.#engine.approximateSize(rangeOf(range));
    const { bytes: most } = this.#engine.stats().tables;
    mustHold(bytes >= 0 && bytes <= most, "wrong-read", () => {
      return `approximateSize of ${JSON.stringify(range)} gave ${bytes}; all tables have ${most} bytes`;
    });
  }

  async #scan(range: StepRange, pageSize: number): Promise<void> {
    const expected = entriesOf(this.#visible, range);
    const found: StateEntry[] = [];
    for await (const page of this.#engine.scan(rangeOf(range)).pages(pageSize)) take(page, found);
    mustBeSame(found, expected, `a scan of ${JSON.stringify(range)}`);
  }

  async #openScan(range: StepRange, pageSize: number): Promise<void> {
    const expected = entriesOf(this.#visible, range);
    const pages = this.#engine.scan(rangeOf(range)).pages(pageSize)[Symbol.asyncIterator]();
    const scan = { pages, expected, found: [] };
    await takeNext(scan);
    await hold(this.#scans, scan, async ({ pages }) => void (await pages.return?.()));
  }

  async #readScan(): Promise<void> {
    const scan = this.#scans.shift();
    if (scan === undefined) return;
    while (await takeNext(scan)) {}
    mustBeSame(scan.found, scan.expected, "a scan held over later writes");
  }

  async #readSnapshot(step: Extract<ReadStep, { readonly step: "read-snapshot" }>): Promise<void> {
    const held = this.#snapshots[0];
    if (held === undefined) return;
    const { snapshot, state } = held;
    for (const [i, key] of step.keys.entries()) {
      const bytes = toBytes(key);
      const value = i % 2 === 0 ? snapshot.getSync(bytes) : await snapshot.get(bytes);
      mustEqual(textOf(value), state.get(key), `${key} in a snapshot`);
    }
    const found: StateEntry[] = [];
    for await (const page of snapshot.scan(rangeOf(step.range)).pages(16)) take(page, found);
    mustBeSame(found, entriesOf(state, step.range), `a snapshot's scan of ${JSON.stringify(step.range)}`);
    if (!step.close) return;
    snapshot.close();
    this.#snapshots.shift();
  }
}

async function hold<T>(held: T[], another: T, letGo: (one: T) => Promise<void>): Promise<void> {
  held.push(another);
  // A dropped one would be released at some garbage collection: runs would differ.
  if (held.length > MOST_HELD) await letGo(held.shift() as T);
}

async function takeNext(scan: HeldScan): Promise<boolean> {
  const next = await scan.pages.next();
  if (next.done !== true) take(next.value, scan.found);
  return next.done !== true;
}

function take(page: readonly KeyValue[], into: StateEntry[]): void {
  for (const { key, value } of page) {
    into.push([toText(key), toText(value)]);
    key.fill(0xdd);
    value.fill(0xdd);
  }
}

function textOf(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined;
  const text = toText(value);
  value.fill(0xdd);
  return text;
}

function mustEqual(found: string | undefined, expected: string | undefined, what: string): void {
  mustHold(found === expected, "wrong-read", () => {
    return `${quote(what)} is ${quote(found)} and must be ${quote(expected)}`;
  });
}

function mustBeSame(found: readonly StateEntry[], expected: readonly StateEntry[], what: string): void {
  const length = Math.max(found.length, expected.length);
  for (let i = 0; i < length; i++) {
    const [is, should] = [found[i], expected[i]];
    mustHold(is?.[0] === should?.[0] && is?.[1] === should?.[1], "wrong-read", () => {
      return `${what}: entry ${i} is ${describe(is)} and must be ${describe(should)}`;
    });
  }
}

function describe(entry: StateEntry | undefined): string {
  return entry === undefined ? "nothing" : `${quote(entry[0])} = ${quote(entry[1])}`;
}
