import type { Context } from "../context.js";
import { unreadable } from "../data-dir.js";
import { judgeClock, timesNow } from "./clock.js";
import { judgeFileSystem } from "./file-system.js";
import { type FoundFile, filesIn, isOfKaya, judgeFiles, sumBytes } from "./files.js";
import { type Finding, findingsOf } from "./finding.js";
import { judgeMemory, judgeOpenFiles, judgeVersions, memoryLimit, openFileLimit } from "./machine.js";
import { type Place, placeOf } from "./place.js";
import { judgeSpace, spaceOf } from "./space.js";
import { examineStore } from "./store.js";
import { deviceOf, judgeLock, judgeSync, measureSync } from "./sync-time.js";

/**
 * Looks for problems of this machine, its disk and a data directory. For a directory that is not there yet, looks at the place where it would be
 * made. Changes nothing in the store.
 * @throws KayaError KAYA_INVALID_ARGUMENT where the path leads to a file
 */
export async function examine(context: Context): Promise<readonly Finding[]> {
  const place = await placeOf(context.options.data);
  const files = place.isThere ? await filesOf(place) : [];
  const store = files.length > 1 && isOfKaya(files) ? await examineStore(context) : undefined;
  const newestFile = files.length === 0 ? undefined : Math.max(...files.map(({ stats }) => stats.mtimeMs));
  return [
    ...judgePlace(place, files),
    ...judgeFileSystem(place.mount, place.real),
    ...(await examineSync(context, place)),
    ...judgeSpace(await spaceOf(place.real), isOfKaya(files) ? sumBytes(files) : 0),
    ...(files.length === 0 ? [] : judgeFiles(files)),
    ...judgeClock(timesNow(newestFile)),
    judgeVersions(process.version, process.platform, process.arch),
    ...judgeOpenFiles(await openFileLimit(), store?.tables ?? 0),
    judgeMemory(memoryLimit()),
    ...(store?.findings ?? []),
  ];
}

async function filesOf({ dataDir, real }: Place): Promise<readonly FoundFile[]> {
  return filesIn(real).catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(dataDir, cause);
  });
}

function judgePlace({ dataDir, isThere, real }: Place, files: readonly FoundFile[]): Finding[] {
  const { note, ok, problem } = findingsOf("directory");
  if (!isThere) return [note(`${dataDir} is not there yet: ${real} is looked at`)];
  if (!isOfKaya(files))
    return [
      problem(
        `${dataDir} holds files of other programs and no data of Kaya: opening it is refused`,
        "Give an empty or absent directory, or one of Kaya's (--data DIR).",
      ),
    ];
  return files.length === 1 ? [note(`${dataDir} is empty`)] : [ok(real)];
}

async function examineSync({ io }: Context, place: Place): Promise<Finding[]> {
  try {
    const { timesMs, lock } = await measureSync(place.beside, io.signal);
    const isInMemory = ["tmpfs", "ramfs"].includes(place.mount?.type ?? "");
    return [judgeSync(timesMs, await deviceOf(place), isInMemory), judgeLock(lock)];
  } catch (error) {
    if (io.signal?.aborted) throw error;
    const { note } = findingsOf("fsync");
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    return [
      note(
        `not measured: no file can be written in ${place.beside} (${reason})`,
        "Run it as a user who may write there.",
      ),
    ];
  }
}
