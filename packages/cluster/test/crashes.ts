import type { SimDisk } from "@kaya/io";

/** Runs `run` on a disk, and gives the disk states that a crash at each step may leave: with all unsynced data, without any, or with some of it. */
export async function crashStates(
  disk: SimDisk,
  run: (disk: SimDisk) => Promise<unknown>,
): Promise<SimDisk[]> {
  const states: SimDisk[] = [];
  const watched: SimDisk = disk.fork({ onOperation: () => states.push(watched.fork()) });
  await run(watched);
  states.push(watched.fork());
  return states.flatMap((state, index) =>
    (["nothing", "everything", "random"] as const).map((survive) => {
      const after = state.fork();
      after.crash({ survive, seed: index + 1 });
      return after;
    }),
  );
}
