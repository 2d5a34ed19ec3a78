import { KayaError } from "@kaya/core";
import { describe, expect, it } from "vitest";
import { ReadBarrier } from "../src/linearizable.js";
import type { LogHead, SharedLog } from "../src/shared-log.js";
import { SimClock, SimLog } from "../src/testing/index.js";
import { head } from "./scripted-log.js";

interface Read {
  readonly answer: (head: LogHead | undefined) => void;
  readonly fail: (error: unknown) => void;
}

function setUp() {
  const reads: Read[] = [];
  const waited: number[] = [];
  const closing = new AbortController();
  let isStuck = false;
  const clock = new SimClock();
  const log = {
    name: "log",
    head: ({ signal }: { signal: AbortSignal }) =>
      new Promise<LogHead | undefined>((answer, fail) => {
        reads.push({ answer, fail });
        signal.addEventListener("abort", () => fail(signal.reason));
      }),
  };
  const barrier = new ReadBarrier({
    log: log as unknown as SharedLog,
    clock,
    timeoutMs: 1_000,
    reading: () => () => undefined,
    applied: async (lsn, signal) => {
      waited.push(lsn);
      if (isStuck)
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  });
  return {
    clock,
    reads,
    waited,
    pass: () => barrier.pass(closing.signal),
    close: () => closing.abort(new KayaError("KAYA_CLOSED", "closed")),
    stick: () => {
      isStuck = true;
    },
  };
}

const turn = () => new Promise(setImmediate);

describe("a linearizable read", () => {
  it("waits until the records of the head are applied", async () => {
    const { reads, waited, pass } = setUp();
    const passed = pass();
    await turn();
    reads[0]?.answer(head({ lsn: 7 }));
    expect(await passed).toBe(7);
    expect(waited).toEqual([7]);
  });

  it("never uses a head read that began before it, and shares the next one", async () => {
    const { reads, pass } = setUp();
    const first = pass();
    await turn();
    const later = [pass(), pass()];
    await turn();
    expect(reads).toHaveLength(1);
    reads[0]?.answer(head({ lsn: 7 }));
    await turn();
    expect(reads).toHaveLength(2);
    reads[1]?.answer(head({ lsn: 9 }));
    expect(await Promise.all([first, ...later])).toEqual([7, 9, 9]);
  });

  it("reads the head again after a failed head read", async () => {
    const { reads, pass } = setUp();
    const first = pass();
    await turn();
    const second = pass();
    reads[0]?.fail(new KayaError("KAYA_NO_MAJORITY", "none"));
    await expect(first).rejects.toMatchObject({ code: "KAYA_NO_MAJORITY" });
    await turn();
    reads[1]?.answer(undefined);
    expect(await second).toBe(0);
  });

  it("rejects with KAYA_NO_MAJORITY at its deadline, whether the head or the records are missing", async () => {
    const { clock, reads, pass, stick } = setUp();
    await expect(clock.run(pass())).rejects.toMatchObject({ code: "KAYA_NO_MAJORITY" });
    stick();
    const passed = pass();
    await turn();
    reads[1]?.answer(head({ lsn: 7 }));
    await expect(clock.run(passed)).rejects.toMatchObject({ code: "KAYA_NO_MAJORITY" });
  });

  it("has one deadline, also behind a read of the head that hangs", async () => {
    const clock = new SimClock();
    const sim = new SimLog({ clock, timeoutMs: 60_000 });
    const log = sim.client("a");
    await log.claim(undefined, { writer: "a", origin: { logId: "0123456789abcdef", lsn: 0, sequence: 0 } });
    const closing = new AbortController().signal;
    const applied = async () => undefined;
    const reading = () => () => undefined;
    const barrier = new ReadBarrier({ log, clock, timeoutMs: 1_000, reading, applied });
    const outcomes: { readonly code: string; readonly afterMs: number }[] = [];
    const pass = () => {
      const began = clock.now();
      const told = (code: string) => outcomes.push({ code, afterMs: clock.now() - began });
      barrier.pass(closing).then(
        () => told("passed"),
        ({ code }: KayaError) => told(code),
      );
    };
    sim.partition("a", "drop");
    for (const ms of [1, 499, 300, 900, 50]) {
      pass();
      await clock.advance(ms);
    }
    await clock.advance(1_000);
    expect(outcomes).toEqual(Array(5).fill({ code: "KAYA_NO_MAJORITY", afterMs: 1_000 }));
    sim.heal("a");
    await clock.advance(1_000);
    pass();
    await clock.advance(1);
    expect(outcomes.at(-1)).toMatchObject({ code: "passed" });
  });

  it("rejects with KAYA_CLOSED when the node closes", async () => {
    const { pass, close } = setUp();
    const passed = pass();
    await turn();
    close();
    await expect(passed).rejects.toMatchObject({ code: "KAYA_CLOSED" });
  });
});
