import type { PartialEngineConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { indexCheck } from "./index-check.js";
import { IndexSession } from "./index-session.js";
import type { Row, RowWrite } from "./indexed-rows.js";
import { STILL, TINY } from "./open-engine.js";
import { type Scenario, scenario } from "./scenario.js";

type Live = (session: IndexSession, disk: SimDisk) => Promise<void>;

const LIVES: readonly (readonly [name: string, live: Live, tables?: typeof TINY])[] = [
  ["rows that move between its keys", move],
  ["writes of both modes in flight, some of them refused", writeAll],
  ["built over rows that are there", build],
  ["built beside writes, broken off and killed", buildAndCrash],
  ["rows that only tables have", flush, TINY],
  ["a failed fsync", failSync],
  ["a full disk", fillDisk],
];

/** What @kaya/engine promises of secondary indexes. */
export function engineIndexScenarios(base: PartialEngineConfig): Scenario[] {
  return LIVES.map(([name, live, tables = STILL]) => {
    const limits = { maxKeyBytes: 100, maxValueBytes: 512 };
    const wal = { segmentMaxBytes: 1600, maxRecordBytes: 1600, maxBatchBytes: 1024 };
    const config = { ...base, limits, wal, tables };
    return scenario<RowWrite>(`engine: an index: ${name}`, {
      workload: async (disk, history) => {
        const session = new IndexSession(disk, history, config);
        await session.open();
        await live(session, disk);
      },
      check: indexCheck(config),
    });
  });
}

const row = (unique: string | undefined, ...many: string[]): Row => ({
  ...(unique !== undefined && { unique }),
  many,
});

async function move(session: IndexSession): Promise<void> {
  await session.put("1", row("a", "x", "y"));
  await session.put("2", row("b", "x"));
  await session.batch({ "1": row("b", "y"), "2": row("a", "x", "z") });
  await session.put("1", row(undefined, "z"), "relaxed");
  await session.put("3", row("b"), "relaxed");
  await session.delete("2");
  await session.put("4", row("a", "x"));
}

async function writeAll(session: IndexSession): Promise<void> {
  await Promise.all([
    session.put("1", row("a", "x")),
    session.put("2", row("a", "x"), "relaxed"),
    session.put("3", row("b", "x", "y")),
    session.delete("1", "relaxed"),
    session.put("4", row("a", "z"), "relaxed"),
    session.put("1", row("b")),
  ]);
  await Promise.all([
    session.clear("relaxed"),
    session.put("5", row("a", "w")),
    session.put("5", row("b", "v")),
  ]);
  await session.put("5", row("c", "v"), "relaxed");
}

async function build(session: IndexSession): Promise<void> {
  for (const key of ["1", "2", "3"]) await session.writePlain(key, row(key, "x", key));
  await session.close();
  await session.open();
  await session.ready();
  await session.put("2", row("4", "x"));
  await session.close();
}

async function buildAndCrash(session: IndexSession): Promise<void> {
  for (const key of ["1", "2", "3"]) await session.writePlain(key, row(key, "x"));
  await session.close();
  await session.open();
  const building = session.ready();
  await Promise.all([session.put("2", row("3b", "y")), session.delete("1"), session.put("4", row("1", "x"))]);
  session.kill();
  await building;
  await session.open();
  const again = session.ready();
  await session.put("0", row("0", "x"), "relaxed");
  session.crash({ survive: "random", seed: 1 });
  await again;
  await session.open();
  await session.put("3", row("5", "z"));
}

async function flush(session: IndexSession): Promise<void> {
  for (const key of ["1", "2", "3"]) await session.put(key, row(key, "x", `${key}${key}`), "relaxed");
  await session.flush();
  await session.close();
  await session.open();
  await Promise.all([
    session.put("1", row("2b", "y")),
    session.put("1", row("1b", "z")),
    session.delete("2"),
  ]);
  await session.flush();
  await session.put("4", row("2", "x"));
}

async function failSync(session: IndexSession, disk: SimDisk): Promise<void> {
  await session.put("1", row("a", "x"));
  disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
  await Promise.all([session.put("1", row("b", "y"), "relaxed"), session.put("2", row("a", "x"))]);
  await session.close();
  await session.open();
  await session.put("3", row("c", "x"));
}

async function fillDisk(session: IndexSession, disk: SimDisk): Promise<void> {
  disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 70 });
  await Promise.all([session.put("1", row("a", "x")), session.put("2", row("b"))]);
  await session.put("1", row("a", "y"));
  disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
  await Promise.all([session.put("1", row("b", "x"), "relaxed"), session.put("3", row("a", "x"))]);
  await session.put("3", row("c", "z"));
  await session.ready();
}
