import { KayaError, type WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { type WalPayload, WalWriter } from "@kaya/wal";
import type { Check } from "./check-run.js";
import { encodeSegments, isSegmentPath, segmentPath } from "./encoded-log.js";
import { type Scenario, scenario } from "./scenario.js";
import { walCheck } from "./wal-check.js";
import { writeCheckpoint } from "./wal-checkpoint.js";
import { WalSession } from "./wal-session.js";
import { del, put, value, type WalWrite } from "./wal-write.js";

const FOREIGN: readonly (readonly WalPayload[])[] = [
  [put("a", value(300)), del("a")],
  [put("b", value(200)), put("c")],
  [put("d")],
];

/** A log that another writer wrote too. */
export function foreignHandsScenarios(config: Partial<WalConfig>): Scenario[] {
  return [
    scenario<WalWrite>("wal: segments that another writer did not sync", {
      workload: (disk, history) => goOnAfterForeignWriter(disk, new WalSession(disk, history, { config })),
      check: unlessNothingIsPromised(walCheck({ config }), config),
    }),
    scenario<WalWrite>("wal: all segments removed behind a checkpoint", {
      workload: (disk, history) => goOnFromNothing(disk, new WalSession(disk, history, { config })),
      check: walCheck({ config }),
    }),
  ];
}

/** A writer that knows nothing of W1; ours has to make its closed segments durable before it calls them so. */
async function goOnAfterForeignWriter(disk: SimDisk, session: WalSession): Promise<void> {
  session.begin(FOREIGN.flat(), false);
  for (const [index, bytes] of encodeSegments(FOREIGN).entries()) {
    const file = await disk.open(segmentPath(index + 1), { create: true });
    await file.append(bytes);
    await file.close();
  }
  await session.open();
  await session.append([put("x"), "relaxed"]);
  await session.append([put("y", value(300)), "relaxed"], [put("z", value(400))]);
}

/** R6: an empty log goes on behind the checkpoint. */
async function goOnFromNothing(disk: SimDisk, session: WalSession): Promise<void> {
  await session.open();
  for (let n = 0; n < 3; n++) await session.append([put(`a${n}`, value(350))], [put(`b${n}`), "relaxed"]);
  const { nextLsn, nextSequence } = session.writer;
  await session.close();
  await writeCheckpoint(disk, { lsn: nextLsn - 1, sequence: nextSequence - 1 });
  for (const { path } of await disk.list("wal")) if (isSegmentPath(path)) await disk.remove(path);
  await disk.syncDir("wal");
  for (let n = 0; n < 2; n++) {
    await session.open();
    await session.append([put(`c${n}`, value(300)), "relaxed"], [put(`d${n}`)]);
    await session.append([put(`e${n}`, value(350)), "relaxed"]);
    await session.close();
  }
}

/** A crash state of a foreign writer's log may be beyond recovery: no breach as long as our writer had not opened it. */
function unlessNothingIsPromised(check: Check<WalWrite>, config: Partial<WalConfig>): Check<WalWrite> {
  return async (disk, view, recovered) => {
    if (view.acknowledged.size === 0 && (await isRefused(disk.fork(), config))) return;
    await check(disk, view, recovered);
  };
}

async function isRefused(disk: SimDisk, config: Partial<WalConfig>): Promise<boolean> {
  try {
    await WalWriter.open(config, disk);
    return false;
  } catch (error) {
    if (KayaError.is(error, "KAYA_CORRUPTION")) return true;
    throw error;
  }
}
