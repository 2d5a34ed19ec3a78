import type { WalConfig } from "@kaya/core";
import { type Disk, type FaultRule, SimDisk } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { recoverWal, WalWriter, type WalWriterOptions } from "../src/index.js";
import { everyCrashState } from "./crash-states.js";
import { HALF_A_SEGMENT, Reader, TWO_A_SEGMENT, upTo } from "./followed.js";
import { HaltingDisk } from "./halting-disk.js";
import { diskOf, imageOf, plain, SMALL, settle } from "./support.js";
import { RELAXED_TURNS, Run, TURNS } from "./workload.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 120_000 });

/** The workload, beside which somebody follows the log. */
class FollowedRun extends Run {
  reader: Reader | undefined;

  override async open(
    disk: Disk,
    config?: Partial<WalConfig>,
    options?: WalWriterOptions,
  ): Promise<WalWriter> {
    const writer = await super.open(disk, config, options);
    this.reader = new Reader(writer.follow());
    return writer;
  }

  get delivered(): string[] {
    return plain(this.reader?.records ?? []);
  }
}

async function workUntil(haltAt: number, turns = TURNS, faults: readonly FaultRule[] = []) {
  const disk = new SimDisk({ faults });
  const halting = new HaltingDisk(disk, haltAt);
  const run = new FollowedRun();
  await Promise.race([run.work(halting, turns, SMALL), halting.halted]);
  await settle();
  return { disk, run };
}

const NEVER = Number.POSITIVE_INFINITY;

it("the follower sees all of the workload", async () => {
  const { disk, run } = await workUntil(NEVER);
  await run.writer?.sync();
  await settle();
  expect(run.delivered).toEqual(plain((await recoverWal(SMALL, disk)).records));
  expect(run.delivered.length).toBe(run.attempts.length);
});

describe("what was delivered is in the log that comes back", () => {
  for (const { name, turns, limit, atLeast } of [
    { name: "the workload", turns: TURNS, limit: 60, atLeast: 120 },
    { name: "relaxed records alone", turns: RELAXED_TURNS, limit: 100, atLeast: 500 },
  ]) {
    it(`whatever a crash leaves before any operation of ${name}`, async () => {
      const last = (await workUntil(NEVER, turns)).disk.nextOperation;
      let states = 0;
      let delivered: string[] = [];
      for (let haltAt = 0; haltAt <= last; haltAt++) {
        const make = async () => {
          const stopped = await workUntil(haltAt, turns);
          delivered = stopped.run.delivered;
          return stopped.disk;
        };
        states += await everyCrashState(limit, make, async (disk, state) => {
          const recovered = plain((await recoverWal(SMALL, disk, { trustPageCache: true })).records);
          expect(recovered.slice(0, delivered.length), `before operation ${haltAt}, ${state}`).toEqual(
            delivered,
          );
        });
      }
      expect(delivered.length).toBeGreaterThan(0);
      expect(states).toBeGreaterThan(atLeast);
    });
  }

  it("after a fault at any operation, and a crash that takes all that was not synced", async () => {
    const last = (await workUntil(NEVER)).disk.nextOperation;
    let told = 0;
    for (let at = 0; at <= last; at++) {
      for (const fault of [
        { at, kind: "fsync-failed" },
        { at, kind: "io-error" },
        { at, kind: "partial-write", bytes: 50 },
      ] as const) {
        const { disk, run } = await workUntil(NEVER, TURNS, [fault]);
        disk.crash();
        const recovered = plain(
          (await recoverWal(SMALL, diskOf(await imageOf(disk)), { trustPageCache: true })).records,
        );
        expect(recovered.slice(0, run.delivered.length), JSON.stringify(fault)).toEqual(run.delivered);
        // W4: it goes on to the end of what is durable, and then says why there is no more.
        if (run.writer?.failure !== undefined) {
          expect(run.reader?.error).toMatchObject({ code: "KAYA_WRITER_FAILED" });
          told++;
        }
      }
    }
    expect(told).toBeGreaterThan(10);
  });
});

type Step =
  | { readonly kind: "append"; readonly strict: boolean }
  | { readonly kind: "rotate" | "sync" | "settle" | "reopen" }
  | { readonly kind: "follow"; readonly behind: number }
  | { readonly kind: "leave"; readonly which: number }
  | { readonly kind: "drop"; readonly behind: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("append" as const), strict: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom("rotate" as const, "sync" as const, "settle" as const) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("follow" as const), behind: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("drop" as const), behind: fc.nat(9) }) },
);

it("whatever happens in whatever order, nobody misses a record or gets one twice, or one that is not durable", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, unhurried) => {
      const disk = new SimDisk({ unhurried });
      let covered = 0; // what a checkpoint would hold
      const open = () =>
        WalWriter.open(TWO_A_SEGMENT, disk, {
          after: { lsn: covered, sequence: covered },
          trustPageCache: true,
        });
      let writer = await open();
      let readers: { readonly from: number; readonly reader: Reader }[] = [];
      const check = () => {
        for (const { from, reader } of readers) {
          expect(reader.lsns).toEqual(upTo(from + reader.lsns.length, from + 1));
          expect(from + reader.lsns.length).toBeLessThanOrEqual(Math.max(from, writer.durableLsn));
        }
      };
      for (const action of steps) {
        if (action.kind === "append")
          void writer.append(HALF_A_SEGMENT, action.strict ? "strict" : "relaxed");
        else if (action.kind === "rotate") await writer.rotate();
        else if (action.kind === "sync") await writer.sync();
        else if (action.kind === "settle") await settle();
        else if (action.kind === "leave") readers.splice(action.which % (readers.length + 1), 1);
        else if (action.kind === "drop") {
          await writer.sync();
          covered = Math.max(covered, writer.durableLsn - action.behind);
          await writer.dropSegmentsBefore(covered + 1);
        } else if (action.kind === "follow") {
          const from = Math.max(0, writer.durableLsn - action.behind);
          try {
            readers.push({ from, reader: new Reader(writer.follow({ after: from })) });
          } catch (error) {
            expect(error).toMatchObject({ code: "KAYA_LOG_TRUNCATED" });
            expect(from).toBeLessThan(covered);
          }
        } else {
          await writer.close();
          for (const { reader } of readers) {
            await reader.over;
            expect(reader.error).toMatchObject({
              code: expect.stringMatching(/KAYA_(CLOSED|LOG_TRUNCATED)/),
            });
          }
          readers = [];
          writer = await open();
        }
        check();
      }
      await writer.sync();
      await turnsUntil(() =>
        readers.every(
          ({ from, reader }) => reader.error !== undefined || from + reader.lsns.length === writer.durableLsn,
        ),
      );
      check();
      for (const { from, reader } of readers) {
        if (reader.error === undefined) expect(from + reader.lsns.length).toBe(writer.durableLsn);
        else expect(reader.error).toMatchObject({ code: "KAYA_LOG_TRUNCATED" });
      }
      await writer.close();
    }),
    { numRuns: 300 },
  );
});

/** Turns of the event loop, until something is so; no more than it can take. */
async function turnsUntil(isSo: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1000 && !isSo(); turns++) await settle();
}
