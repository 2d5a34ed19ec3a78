import { KayaError, type WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { type Scenario, scenario } from "./scenario.js";
import { mustBeMet, UnmetFaultError } from "./unmet-fault.js";
import { walCheck } from "./wal-check.js";
import { WalSession } from "./wal-session.js";
import { put, value, type WalWrite } from "./wal-write.js";

/** Of a rotation: the old segment is synced, its name, the next one is created, and its name synced. */
const ROTATION = { sync: 0, syncOldName: 1, create: 2, syncNewName: 3 };

/** Where a rotation begins to need descriptors, by operation and by read, and how many openings fail in a row. */
const MOMENTS: readonly { readonly at: number; readonly atRead: number; readonly openings: number }[] = [
  { at: ROTATION.create, atRead: 5, openings: 1 },
  { at: ROTATION.create, atRead: 0, openings: 1 },
  { at: ROTATION.create, atRead: 1, openings: 1 },
  { at: ROTATION.sync, atRead: 0, openings: 12 },
];

type Live = (session: WalSession, disk: SimDisk) => Promise<void>;

/** Changes of the log's directory, or of the path to it, while a writer has it. */
export function walDirectoryScenarios(config: Partial<WalConfig>): Scenario[] {
  const lives: readonly (readonly [name: string, live: Live])[] = [
    ...MOMENTS.map((moment) => {
      const name = `no descriptors for ${moment.openings} openings from operation ${moment.at}, read ${moment.atRead} on`;
      return [name, (session: WalSession, disk: SimDisk) => lackDescriptors(session, disk, moment)] as const;
    }),
    ["no descriptors while it is opened", openWithoutDescriptors],
    ["a segment that cannot be made, nor taken away at once", leaveHalfMade],
    ...[ROTATION.syncOldName, ROTATION.create, ROTATION.syncNewName].map(
      (place) =>
        [
          `another directory has the name from operation ${place} of a rotation on`,
          (session: WalSession, disk: SimDisk) => replaceDirectory(session, disk, place),
        ] as const,
    ),
  ];
  return lives.map(([name, live]) =>
    scenario<WalWrite>(`wal: ${name}`, {
      workload: async (disk, history) => {
        const session = new WalSession(disk, history, { config });
        await session.open();
        await session.append([put("a", value(550))]); // the next one needs a new segment
        await live(session, disk);
      },
      check: walCheck({ config }),
    }),
  );
}

async function lackDescriptors(
  session: WalSession,
  disk: SimDisk,
  { at, atRead, openings }: (typeof MOMENTS)[number],
): Promise<void> {
  lackFrom(disk, at, atRead, openings);
  const before = disk.events.length;
  for (let n = 0; n < 8; n++)
    await session.append([put(`rotates ${n}`, value(300)), n % 2 ? "relaxed" : "strict"]);
  if (!disk.events.slice(before).some(({ error }) => error === "KAYA_IO"))
    throw new UnmetFaultError("nothing was opened meanwhile");
  mustGoOn(session);
  await session.append([put("after"), "relaxed"], [put("after that")]);
}

async function openWithoutDescriptors(session: WalSession, disk: SimDisk): Promise<void> {
  await session.append([put("b", value(300)), "relaxed"]);
  session.kill();
  lackFrom(disk, 0, 0, 12);
  for (let tries = 0; ; tries++) {
    try {
      await session.open();
      break;
    } catch (error) {
      if (!KayaError.is(error, "KAYA_IO") || tries > 30) throw error; // a directory that could not be opened left the log as it was
    }
  }
  await session.append([put("after"), "relaxed"], [put("after that", value(300))]);
}

/** Its creation fails although it is there, and so does its removal: nothing is written to the segment before it until that succeeds. */
async function leaveHalfMade(session: WalSession, disk: SimDisk): Promise<void> {
  const at = disk.nextOperation + ROTATION.create;
  disk.addFault({ at, kind: "io-error", outcome: "kept" });
  disk.addFault({ at: at + 1, kind: "io-error" });
  await session.append([put("in the next segment", value(300))]);
  mustBeMet(disk, at, "creation of a segment");
  mustBeMet(disk, at + 1, "removal of a segment");
  mustGoOn(session);
  await session.append([put("b"), "relaxed"]);
  await session.append([put("c"), "relaxed"]);
  mustGoOn(session);
  await session.append([put("in the next segment, again", value(300))]);
  mustGoOn(session);
}

/** By then the writer has failed for good, with that reason; acknowledged records are in the directory that it opened. */
async function replaceDirectory(session: WalSession, disk: SimDisk, place: number): Promise<void> {
  await session.append([put("b"), "relaxed"]);
  const at = disk.nextOperation + place;
  disk.addFault({ at, kind: "directory-replaced" });
  await session.append([put("c", value(300))], [put("d"), "relaxed"]);
  mustBeMet(disk, at, `operation ${place} of a rotation`);
  await session.append([put("e")], [put("f"), "relaxed"]);
  const code = session.writer.failure?.code;
  if (code !== "KAYA_DIRECTORY_REPLACED")
    throw new Error(`the directory is another one, and the writer says ${code ?? "nothing"} (W4)`);
  await session.close();
  session.kill();
  await session.open(); // as under its new name
  await session.append([put("g"), "relaxed"], [put("h", value(300))]);
}

function lackFrom(disk: SimDisk, at: number, atRead: number, openings: number): void {
  const [firstAt, firstRead] = [disk.nextOperation + at, disk.nextRead + atRead];
  for (let n = 0; n < openings; n++) {
    disk.addFault({ at: firstAt + n, kind: "no-descriptors" });
    disk.addFault({ atRead: firstRead + n, kind: "no-descriptors" });
  }
}

/** W3: nothing was lost and no fsync was tried, so the same writer works again. */
function mustGoOn({ writer }: WalSession): void {
  if (writer.failure !== undefined) throw new Error(`the writer gave up (W3): ${writer.failure.message}`);
}
