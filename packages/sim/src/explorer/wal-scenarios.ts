import type { WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { type Scenario, scenario } from "./scenario.js";
import { walSyncScenarios } from "./sync-scenarios.js";
import { walCheck } from "./wal-check.js";
import { damagedLogScenarios } from "./wal-damage-scenarios.js";
import { walDirectoryScenarios } from "./wal-directory-scenarios.js";
import { walFaultScenarios } from "./wal-fault-scenarios.js";
import { foreignHandsScenarios } from "./wal-foreign-scenarios.js";
import { linkedLogScenarios } from "./wal-linked-scenarios.js";
import { refusalScenarios } from "./wal-refusal-scenarios.js";
import { WalSession } from "./wal-session.js";
import { spaceScenarios } from "./wal-space-scenarios.js";
import { batch, del, delRange, noop, put, value, type WalWrite } from "./wal-write.js";

/** Segments of few records, so that a short workload rotates. */
export const TINY: Partial<WalConfig> = { segmentMaxBytes: 768, maxRecordBytes: 768, maxBatchBytes: 512 };
/** Records over several sectors of either size. */
const WIDE: Partial<WalConfig> = { segmentMaxBytes: 24_000, maxRecordBytes: 16_000, maxBatchBytes: 16_000 };

type Life = (session: WalSession) => Promise<void>;

/** The log in ordinary use: creation, rotation, both modes, batches, several in flight, crashes and reopenings. */
const LIVES: readonly (readonly [name: string, config: Partial<WalConfig>, trust: boolean, life: Life])[] = [
  ["creation", TINY, true, create],
  ["rotation", TINY, false, rotate],
  ["rotation, opened after a restart", TINY, true, rotate],
  ["both modes in flight", TINY, true, mix],
  ["relaxed writes alone", TINY, false, relax],
  ["range deletes", TINY, true, deleteRanges],
  ["records over several sectors", WIDE, true, writeWide],
  ["close and reopen", TINY, false, reopen],
  ["two crashes", TINY, true, crashTwice],
  ["segments dropped behind a checkpoint", TINY, true, checkpoint],
];

/** Everything that @kaya/wal promises, in small workloads. */
export function walScenarios(): Scenario[] {
  const lives = LIVES.map(([name, config, trustPageCache, life]) =>
    scenario<WalWrite>(`wal: ${name}`, {
      workload: async (disk: SimDisk, history) => {
        const session = new WalSession(disk, history, { config });
        await session.open();
        await life(session);
      },
      check: walCheck({ config, trustPageCache }),
    }),
  );
  return [
    ...lives,
    ...walSyncScenarios(TINY),
    ...walFaultScenarios(TINY),
    ...spaceScenarios(),
    ...walDirectoryScenarios(TINY),
    ...damagedLogScenarios(TINY),
    ...refusalScenarios(TINY),
    ...foreignHandsScenarios(TINY),
    ...linkedLogScenarios(TINY),
  ];
}

async function create(session: WalSession): Promise<void> {
  await session.append([put("a")]);
  await session.append([put("b"), "relaxed"]);
  await session.append([put("c")], [del("a"), "relaxed"]);
  await session.close();
}

async function rotate(session: WalSession): Promise<void> {
  for (let n = 0; n < 4; n++) {
    await session.append([put(`relaxed ${n}`, value(90)), "relaxed"]);
    await session.append([put(`strict ${n}`, value(150))]);
    await session.append([put(`more ${n}`, value(200)), "relaxed"]);
  }
  await session.close();
}

async function mix(session: WalSession): Promise<void> {
  await session.append([put("a")], [put("b"), "relaxed"], [batch(put("c"), del("b"), put("c2")), "strict"]);
  const first = session.append([put("d", value(300)), "relaxed"], [put("e"), "strict"], [noop, "relaxed"]);
  const second = session.appendLater([put("f", value(250)), "relaxed"], [del("e"), "relaxed"]);
  const third = session.appendLater([batch(put("g"), put("h", value(100))), "relaxed"], [put("i"), "strict"]);
  await Promise.all([first, second, third]);
  await session.append([put("j", value(400)), "relaxed"]);
  await session.append([put("k", value(100)), "relaxed"]);
  await session.sync();
  await session.append([put("l"), "relaxed"], [put("m"), "relaxed"], [put("n", value(200)), "strict"]);
}

async function relax(session: WalSession): Promise<void> {
  for (let n = 0; n < 14; n++) {
    const payload = n % 4 === 3 ? batch(put(`r${n}`), del("x")) : put(`r${n}`, value(40 + 70 * (n % 3)));
    await session.append([payload, "relaxed"]);
  }
  await session.sync();
  await session.append([put("last"), "relaxed"]);
}

/** Alone and in batches, with ends and without, over sectors and rotations. */
async function deleteRanges(session: WalSession): Promise<void> {
  await session.append([put("a"), "relaxed"], [delRange("", "b"), "strict"], [put("a"), "relaxed"]);
  for (let n = 0; n < 4; n++) {
    const [start, end] = [`${n}`.repeat(60 + 40 * n), `${n + 1}`.repeat(100)];
    await session.append([delRange(start, end), "relaxed"]);
    await session.append([
      batch(put(`p${n}`), delRange("p"), put(`q${n}`, value(80))),
      n % 2 ? "strict" : "relaxed",
    ]);
  }
  await session.append([delRange("\0", "\0\0"), "relaxed"], [batch(delRange("")), "relaxed"]);
}

async function writeWide(session: WalSession): Promise<void> {
  await session.append([put("a", value(1300))]);
  await session.append([put("b", value(5000)), "relaxed"]);
  await session.append([put("c", value(700)), "relaxed"], [put("d", value(9000)), "strict"]);
  await session.append([put("e", value(8800)), "relaxed"]);
  await session.append([put("f", value(2000)), "relaxed"]);
  await session.close();
}

async function reopen(session: WalSession): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await session.append([put(`a${n}`, value(200)), "relaxed"], [put(`b${n}`)]);
    await session.append([put(`c${n}`, value(120)), "relaxed"]);
    await session.close();
    await session.open();
  }
  await session.append([put("last"), "relaxed"]);
}

async function crashTwice(session: WalSession): Promise<void> {
  for (let n = 0; n < 2; n++) {
    await session.append([put(`a${n}`), "relaxed"], [put(`b${n}`, value(150))]);
    await session.append([put(`c${n}`, value(200)), "relaxed"], [put(`d${n}`, value(350)), "relaxed"]);
    await session.append([put(`e${n}`, value(160)), "relaxed"]);
    session.crash({ survive: "random", seed: n });
    await session.open();
    await session.append([put(`f${n}`), "relaxed"]);
    await session.append([put(`g${n}`)]);
  }
}

async function checkpoint(session: WalSession): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await session.append([put(`a${n}`, value(250)), "relaxed"], [batch(put(`b${n}`), del("a")), "strict"]);
    await session.append([put(`c${n}`, value(300)), "relaxed"]);
    if (n === 1) await session.append([put("d", value(300)), "relaxed"]);
    await session.checkpoint(async () => {
      if (n > 0)
        await session.append([put(`e${n}`, value(350)), "relaxed"], [put(`f${n}`, value(300)), "relaxed"]);
    });
  }
  session.crash();
  await session.open();
  await session.append([put("behind")]);
}
