import type { SimDisk } from "@kaya/io";

/** What a crash may leave at each step of what `run` does to a disk: nothing unsynced, everything, or something. */
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
