import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { WalRecord } from "@kaya/wal";
import { describe, expect, it } from "vitest";
import { QueueView } from "../src/transaction/queue-view.js";

const VALUE_BYTES = 128 * 1024;

/** A log with puts of large values, and what is applied of them. */
class Queue {
  readonly position = { lsn: 0, sequence: 0 };
  readonly takeBacks = 0;
  appended = 0;
  /** Records that somebody took from it. */
  reads = 0;
  readonly view = new QueueView(this as never, this as never);

  get nextLsn(): number {
    return this.appended + 1;
  }

  get nextSequence(): number {
    return this.appended + 1;
  }

  *pending(after: number): Generator<WalRecord> {
    for (let lsn = Math.max(this.position.lsn, after) + 1; lsn <= this.appended; lsn++) {
      this.reads++;
      const key = new Uint8Array([lsn % 7]);
      yield {
        lsn,
        sequence: lsn,
        payload: { type: "put", key, value: new Uint8Array(VALUE_BYTES) },
      } as WalRecord;
    }
  }
}

describe("the view of the queue", () => {
  it("copies each record a few times at most, however much is queued", () => {
    const queue = new Queue();
    const held = new Set<unknown>(); // or the collector may take it in between
    for (let i = 0; i < 100; i++) {
      queue.appended++;
      held.add(queue.view.operations());
      expect(queue.view.moment().stateOf(new Uint8Array([queue.appended % 7]))?.sequence).toBe(
        queue.appended,
      );
    }
    expect(queue.reads).toBeLessThan(400);
  });

  it("lets go of what is applied, where something is queued all the time", () => {
    const queue = new Queue();
    const held = new Set<unknown>(); // as above
    queue.appended = 16;
    for (let i = 0; i < 100; i++) {
      queue.appended++;
      queue.position.lsn++;
      const list = queue.view.operations();
      held.add(list);
      expect(list.bytes).toBeLessThan(34 * VALUE_BYTES + 1024);
    }
    expect(queue.reads).toBeLessThan(400);
  });

  it("is held by its moments alone", async () => {
    const queue = new Queue();
    queue.appended = 2;
    const list = (() => new WeakRef(queue.view.operations()))();
    queue.view.moment().release();
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    while (list.deref() !== undefined) {
      await nextTurn();
      collect();
    }
    expect(queue.view.operations().length).toBe(2);
  });
});
