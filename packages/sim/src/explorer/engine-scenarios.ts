import type { PartialEngineConfig } from "@kaya/core";
import type { FaultRule, SimDisk } from "@kaya/io";
import { engineCompactionScenarios } from "./engine-compaction-scenarios.js";
import { engineCopyScenarios } from "./engine-copy-scenarios.js";
import { engineDirectoryScenarios } from "./engine-directory-scenarios.js";
import { engineEvidenceScenarios } from "./engine-evidence-scenarios.js";
import { engineFeedScenarios } from "./engine-feed-scenarios.js";
import { engineFlushScenarios } from "./engine-flush-scenarios.js";
import { engineIndexScenarios } from "./engine-index-scenarios.js";
import { type Life, long, scenariosOf } from "./engine-lives.js";
import { engineLookScenarios } from "./engine-look-scenarios.js";
import type { EngineSession } from "./engine-session.js";
import { engineStagingScenarios } from "./engine-staging-scenarios.js";
import { FAR_AHEAD, LONG_AGO } from "./engine-write.js";
import { STILL } from "./open-engine.js";
import type { Scenario } from "./scenario.js";
import { engineSyncScenarios } from "./sync-scenarios.js";

const CONFIG: PartialEngineConfig = {
  wal: { segmentMaxBytes: 768, maxRecordBytes: 768, maxBatchBytes: 512 },
  limits: { maxKeyBytes: 64, maxValueBytes: 512 },
  tables: STILL,
};

const LIVES: readonly Life[] = [
  { name: "open, write, close", live: openAndClose },
  { name: "writes of all kinds in flight", live: writeAll },
  { name: "values that expire, in the log and in tables", live: writeExpiring },
  { name: "closed and opened again", live: reopen },
  { name: "crashed and killed", live: crashAndKill },
  { name: "a full disk", live: fillDisk },
  ...(["readable-until-crash", "kept", "lost"] as const).map((outcome) => ({
    name: `a failed fsync (${outcome})`,
    losesRelaxed: outcome === "lost",
    live: (session: EngineSession, disk: SimDisk) =>
      failSync(session, (at) => disk.addFault({ at, kind: "fsync-failed", outcome }), disk),
  })),
];

/** Everything that @kaya/engine promises, in small workloads. */
export function engineScenarios(): Scenario[] {
  return [
    ...scenariosOf(LIVES, { config: CONFIG }),
    ...engineSyncScenarios(CONFIG),
    ...engineFlushScenarios(CONFIG),
    ...engineCompactionScenarios(CONFIG),
    ...engineStagingScenarios(CONFIG),
    ...engineFeedScenarios(CONFIG),
    ...engineCopyScenarios(CONFIG),
    ...engineLookScenarios(CONFIG),
    ...engineDirectoryScenarios(CONFIG),
    ...engineEvidenceScenarios(CONFIG),
    ...engineIndexScenarios(CONFIG),
  ];
}

async function openAndClose(session: EngineSession): Promise<void> {
  await session.put("a");
  await session.put("b", "", "relaxed");
  await session.close();
}

async function writeAll(session: EngineSession): Promise<void> {
  await Promise.all([session.put("k1"), session.put("k2", long(200), "relaxed"), session.delete("k1")]);
  const batch = session.write([
    { type: "put", key: "k3", value: long(100) },
    { type: "delete", key: "k2" },
    { type: "put", key: "other", value: "" },
  ]);
  await Promise.all([session.put("k4", long(300), "relaxed"), batch, session.delete("none", "relaxed")]);
  await session.clear("k", "relaxed");
  await session.put("k5", long(250), "relaxed");
  await session.sync();
  await Promise.all([session.put("k6", long(150), "relaxed"), session.put("k7"), session.clear("k")]);
  await session.write([
    { type: "put", key: "k9", value: "deleted" },
    { type: "clear", range: { gte: "k", lt: "l" } },
    { type: "put", key: "k9", value: long(60) },
  ]);
  await session.put("k8", long(400), "relaxed");
}

async function writeExpiring(session: EngineSession): Promise<void> {
  await Promise.all(["a", "b", "c"].map((key) => session.put(key, `${key} before`)));
  await Promise.all([
    session.write([{ type: "put", key: "a", value: "gone", expiresAt: LONG_AGO }], "relaxed"),
    session.write([
      { type: "put", key: "b", value: long(120), expiresAt: FAR_AHEAD },
      { type: "put", key: "c", value: "gone", expiresAt: LONG_AGO },
    ]),
    session.write([{ type: "put", key: "d", value: long(90), expiresAt: FAR_AHEAD }], "relaxed"),
  ]);
  await session.flush();
  await session.write([{ type: "put", key: "d", value: "gone", expiresAt: LONG_AGO }], "relaxed");
  await session.put("c", "for good", "relaxed");
  await session.compact();
  await session.write([{ type: "put", key: "b", value: "gone", expiresAt: LONG_AGO }]);
}

async function reopen(session: EngineSession): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await session.put(`a${n}`, long(150), "relaxed");
    await session.put("same", long(40 * n));
    await session.delete(`a${n - 1}`, "relaxed");
    await session.close();
    await session.open();
  }
}

async function crashAndKill(session: EngineSession): Promise<void> {
  for (let n = 0; n < 2; n++) {
    await session.put(`a${n}`);
    await session.put(`b${n}`, long(300), "relaxed");
    await session.put(`c${n}`, long(200), "relaxed");
    session.kill();
    await session.open();
    await session.put(`d${n}`, long(100), "relaxed");
    await session.delete("a0", "relaxed");
    session.crash({ survive: "random", seed: n });
    await session.open();
  }
  await session.put("last");
}

async function fillDisk(session: EngineSession, disk: SimDisk): Promise<void> {
  await session.put("a", long(200), "relaxed");
  const partial: FaultRule = { at: disk.nextOperation, kind: "partial-write", bytes: 70 };
  disk.addFault(partial);
  await Promise.all([session.put("b", long(100), "relaxed"), session.put("c")]);
  await session.put("d", long(200));
  await session.put("e", long(200), "relaxed");
  for (let later = 0; later < 4; later++)
    disk.addFault({ at: disk.nextOperation + later, kind: "disk-full" });
  await session.put("f", long(400)); // a segment that cannot be made
  await session.put("g", long(400));
  await session.close();
  await session.open();
  await session.put("h", long(300), "relaxed");
}

async function failSync(session: EngineSession, fail: (at: number) => void, disk: SimDisk): Promise<void> {
  await session.put("a", long(100));
  await session.put("b", long(100), "relaxed");
  fail(disk.nextOperation + 1);
  await Promise.all([session.put("c", long(100), "relaxed"), session.put("d")]);
  await session.put("refused");
  await session.close();
  await session.open();
  await session.put("e", long(200), "relaxed");
  await session.put("f", long(200));
}
