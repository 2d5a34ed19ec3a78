import { setImmediate } from "node:timers/promises";
import type { PartialEngineConfig, WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { type Life, livesWithFaults, long, type PlacelessFault, scenariosOf } from "./engine-lives.js";
import type { EngineSession } from "./engine-session.js";
import { TINY as TINY_TABLES } from "./open-engine.js";
import { type Scenario, scenario } from "./scenario.js";
import { walCheck } from "./wal-check.js";
import { WalSession } from "./wal-session.js";
import { batch, del, noop, put, value, type WalWrite } from "./wal-write.js";

/** Waits of different lengths: in some of them a put is being written, in some it waits for its fsync, in the last it is over. */
const MOMENTS = 12;

/** The operations of `live` that a fault meets. */
const PLACES = 12;

/** Writes of the log that are done when they return: alone, behind queued ones, and at every moment of one in flight. */
export function walSyncScenarios(config: Partial<WalConfig>): Scenario[] {
  const lives: readonly (readonly [string, (session: WalSession) => Promise<void>])[] = [
    ["alone", appendAlone],
    ["behind queued ones", appendBehindQueued],
    ["at every moment of one in flight", appendAtEveryMoment],
    ["beside rotations", appendBesideRotations],
  ];
  return lives.map(([name, live]) =>
    scenario<WalWrite>(`wal: appends at once, ${name}`, {
      workload: async (disk: SimDisk, history) => {
        const session = new WalSession(disk, history, { config });
        await session.open();
        await live(session);
      },
      check: walCheck({ config }),
    }),
  );
}

/** The same of an engine, with faults and flushes. */
export function engineSyncScenarios(config: PartialEngineConfig): Scenario[] {
  const lives: Life[] = [
    { name: "writes at once, closed and opened again", live: writeAlone },
    ...livesWithFaults("while writes are made at once", liveThroughFaults),
  ];
  const flushed = { ...config, tables: TINY_TABLES };
  return [
    ...scenariosOf(lives, { config }),
    ...scenariosOf([{ name: "writes at once beside a flush", live: writeBesideFlush }], { config: flushed }),
  ];
}

async function appendAlone(session: WalSession): Promise<void> {
  mustWrite(session.appendNow(put("a")));
  mustWrite(session.appendNow(put("b", value(200)), "relaxed"));
  for (let n = 0; n < 4; n++) {
    mustWrite(session.appendNow(put(`relaxed ${n}`, value(150)), "relaxed"));
    mustWrite(
      session.appendNow(batch(put(`strict ${n}`, value(180)), del("a")), n % 2 ? "strict" : "relaxed"),
    );
  }
  await session.close();
  await session.open();
  mustWrite(session.appendNow(put("c", value(100)), "relaxed"));
  session.crash({ survive: "random", seed: 1 });
  await session.open();
  mustWrite(session.appendNow(put("d", value(100))));
}

async function appendBehindQueued(session: WalSession): Promise<void> {
  for (let n = 0; n < 4; n++) {
    const queued = session.append(
      [put(`a${n}`, value(100)), "relaxed"],
      [put(`b${n}`, value(150)), n % 2 ? "strict" : "relaxed"],
      [put(`c${n}`, value(200)), "relaxed"],
      [noop, "relaxed"],
    );
    mustWrite(session.appendNow(put(`now ${n}`, value(90)), n < 2 ? "strict" : "relaxed"));
    mustWrite(session.appendNow(put(`then ${n}`), "strict"));
    await queued;
  }
}

async function appendAtEveryMoment(session: WalSession): Promise<void> {
  mustWrite(session.appendNow(noop));
  let written = 0;
  for (let wait = 0; wait < MOMENTS; wait++) {
    const earlier = session.append([put(`a${wait}`, value(60)), "relaxed"], [put(`b${wait}`, value(60))]);
    await moments(wait);
    if (session.appendNow(put(`now ${wait}`), wait % 3 === 0 ? "relaxed" : "strict")) written++;
    await earlier;
  }
  mustWrite(written > MOMENTS / 3);
}

async function appendBesideRotations(session: WalSession): Promise<void> {
  mustWrite(session.appendNow(put("first"), "relaxed"));
  for (let wait = 0; wait < 8; wait++) {
    const rotated = session.rotate();
    await moments(wait);
    session.appendNow(put(`a${wait}`, value(60)), "relaxed");
    session.appendNow(put(`b${wait}`, value(60)), wait % 2 ? "strict" : "relaxed");
    await rotated;
  }
}

async function writeAlone(session: EngineSession): Promise<void> {
  for (let n = 0; n < 2; n++) {
    mustWrite(session.putNow(`a${n}`, long(150)));
    mustWrite(session.putNow("same", long(40 * n), "relaxed"));
    mustWrite(session.writeNow([{ type: "delete", key: `a${n - 1}` }], "relaxed"));
    mustWrite(
      session.writeNow([
        { type: "put", key: "b", value: long(100) },
        { type: "clear", range: { lt: "a1" } },
      ]),
    );
    if (n === 0) await session.close();
    else session.crash();
    await session.open();
  }
  mustWrite(session.putNow("last", long(400)));
}

/** The fault meets one of the operations of a short life after the other, where it fits. */
async function liveThroughFaults(
  session: EngineSession,
  disk: SimDisk,
  fault: PlacelessFault,
): Promise<void> {
  session.putNow("before", long(120));
  for (let place = 0; place < PLACES; place++) {
    disk.addFault({ ...fault, at: disk.nextOperation + place });
    await live(session);
    if (session.failure !== undefined) {
      await session.close();
      await session.open();
    }
    session.putNow(`after ${place}`, long(80));
  }
  await session.put("after that", long(300));
}

/** Over the end of two segments. */
async function live(session: EngineSession): Promise<void> {
  const queued = [session.put("a", long(100), "relaxed"), session.put("b", long(150))];
  session.putNow("c", long(100), "relaxed");
  session.writeNow([
    { type: "put", key: "d", value: long(200) },
    { type: "delete", key: "a" },
  ]);
  await Promise.all(queued);
  session.putNow("e", long(250), "relaxed");
  const inFlight = session.put("f", long(60));
  await moments(6);
  session.putNow("g", long(150));
  await inFlight;
  session.putNow("h", long(300), "relaxed");
}

async function writeBesideFlush(session: EngineSession): Promise<void> {
  for (let n = 0; n < 3; n++) {
    session.putNow(`a${n}`, long(200));
    session.putNow(`b${n}`, long(200), "relaxed");
    const flushed = session.flush();
    await moments(3 * n);
    session.putNow(`c${n}`, long(100), n === 1 ? "strict" : "relaxed");
    session.putNow("same", `${n}`);
    await flushed;
  }
  session.putNow("behind", long(100));
}

/** The disk takes a turn of the event loop for each operation. */
async function moments(count: number): Promise<void> {
  for (let left = count >> 1; left > 0; left--) await setImmediate();
  if (count % 2 === 1) for (let left = 8; left > 0; left--) await undefined;
}

function mustWrite(done: boolean): void {
  if (!done) throw new Error("a write that had nothing to wait for was refused with KAYA_BUSY");
}
