import type { WalConfig } from "@kaya/core";
import type { FailedSyncOutcome, SimDisk } from "@kaya/io";
import { type Scenario, scenario } from "./scenario.js";
import { mustBeMet } from "./unmet-fault.js";
import { walCheck } from "./wal-check.js";
import { describeFault, type Fault, goOnBehind, UNDONE } from "./wal-fault-scenarios.js";
import { WalSession } from "./wal-session.js";
import { batch, del, put, value, type WalWrite } from "./wal-write.js";

/** Space for a few records at a time, in segments of several such steps; records over more than one sector. */
const CONFIG: Partial<WalConfig> = {
  segmentMaxBytes: 4096,
  maxRecordBytes: 2048,
  maxBatchBytes: 2048,
  preallocateBytes: 1024,
};

const OUTCOMES: readonly FailedSyncOutcome[] = ["readable-until-crash", "kept", "lost"];

/** Mutating operations from the write behind which space is made on: the batch, the zeros, their fsync, then batches in the space. */
const PLACES = [0, 1, 2, 3, 4, 5] as const;
const WRITES: readonly number[] = [0, 1, 3, 5];

type Life = (session: WalSession) => Promise<void>;

const LIVES: readonly (readonly [name: string, live: Life])[] = [
  ["writes into it, over its end, and into the next segment", fillSegments],
  ["relaxed writes and batches into it", relax],
  ["crashes in it", crash],
  ["closed, killed and opened again", reopen],
  ["rotations", rotate],
];

/** Space that is written with zeros ahead of the log (W8). */
export function spaceScenarios(): Scenario[] {
  const failedSyncs = OUTCOMES.map((outcome) => ({ kind: "fsync-failed", outcome }) as const);
  const syncs = PLACES.filter((place) => !WRITES.includes(place));
  return [
    ...LIVES.map(([name, live]) => spaceScenario(name, CONFIG, live)),
    ...UNDONE.flatMap((fault) => WRITES.map((place) => faultScenario(fault, place))),
    ...failedSyncs.flatMap((fault) => syncs.map((place) => faultScenario(fault, place))),
  ];
}

function spaceScenario(name: string, config: Partial<WalConfig>, live: Life): Scenario {
  return scenario<WalWrite>(`wal: space ahead: ${name}`, {
    workload: async (disk: SimDisk, history) => {
      const session = new WalSession(disk, history, { config });
      await session.open();
      await live(session);
    },
    check: walCheck({ config }),
  });
}

function faultScenario(fault: Fault, place: number): Scenario {
  const losesRelaxed = "outcome" in fault && fault.outcome === "lost";
  return scenario<WalWrite>(`wal: space ahead: ${describeFault(fault)} at operation ${place}`, {
    workload: async (disk: SimDisk, history) => {
      const session = new WalSession(disk, history, { config: CONFIG, losesRelaxed });
      await session.open();
      await writeSmall(session, 4);
      const at = disk.nextOperation + place;
      disk.addFault({ ...fault, at });
      await session.append([put("makes space", value(60))]);
      await session.append([put("in it", value(100)), "relaxed"], [put("in it too")]);
      await session.append([put("more of it", value(30))]);
      mustBeMet(disk, at, `operation ${place} that ${describeFault(fault)} fits`);
      await goOnBehind(fault, session);
    },
    check: walCheck({ config: CONFIG }),
  });
}

/** Each durable by itself: behind the fourth, space is made. */
async function writeSmall(session: WalSession, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await session.append([put(`small ${n}`)]);
}

async function fillSegments(session: WalSession): Promise<void> {
  await writeSmall(session, 5);
  for (let n = 0; n < 6; n++) {
    await session.append([put(`a${n}`, value(150))]);
    await session.append([put(`b${n}`, value(700)), "relaxed"], [put(`c${n}`), "strict"]);
  }
}

async function relax(session: WalSession): Promise<void> {
  await writeSmall(session, 5);
  for (let n = 0; n < 4; n++) {
    await session.append([put(`a${n}`, value(120)), "relaxed"]);
    await session.append([batch(put(`b${n}`, value(90)), del(`a${n}`)), "relaxed"]);
  }
  await session.sync();
  await session.append([put("wide", value(1500)), "relaxed"]);
  await session.append([put("last"), "relaxed"]);
}

async function crash(session: WalSession): Promise<void> {
  for (let n = 0; n < 2; n++) {
    await writeSmall(session, 5);
    await session.append([put(`a${n}`, value(650)), "relaxed"], [put(`b${n}`, value(150)), "relaxed"]);
    await session.append([put(`c${n}`, value(200)), "relaxed"]);
    session.crash({ survive: "random", seed: n });
    await session.open();
    await session.append([put(`d${n}`), "relaxed"]);
  }
}

async function reopen(session: WalSession): Promise<void> {
  for (let n = 0; n < 2; n++) {
    await writeSmall(session, 6);
    await session.append([put(`a${n}`, value(200)), "relaxed"]);
    await session.close();
    await session.open();
    await writeSmall(session, 6);
    await session.append([put(`b${n}`, value(40)), "relaxed"]);
    session.kill();
    await session.open();
  }
  await session.append([put("last")]);
}

async function rotate(session: WalSession): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await writeSmall(session, 6);
    await session.append([put(`a${n}`, value(100)), "relaxed"]);
    await session.rotate();
    await session.append([put(`b${n}`), "relaxed"]);
  }
}
