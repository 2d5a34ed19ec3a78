import { KayaError, type WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { WalWriter } from "@kaya/wal";
import type { Check } from "./check-run.js";
import { mustRefuse, rejectionOf } from "./refusal.js";
import { walCheck } from "./wal-check.js";
import type { WalWrite } from "./wal-write.js";

/**
 * Every read of the opening fails once: it is reported as KAYA_IO, nothing is changed while recovery only reads, and the next opening, in
 * the same boot, finds everything.
 */
export function failedReadsCheck(config: Partial<WalConfig>): Check<WalWrite> {
  const open = (disk: SimDisk) => WalWriter.open(config, disk);
  const nextOpening = walCheck({ config });
  return async (disk, view) => {
    for (const { atRead, onlyLooks } of await readsOf(disk.fork(), open)) {
      const failing = disk.fork({ faults: [{ atRead, kind: "read-error" }] });
      const why = `read ${atRead - disk.nextRead} fails`;
      if (onlyLooks) await mustRefuse(failing, open, "KAYA_IO", why);
      else await mustTell(open(failing), why);
      await nextOpening(failing, view, () => undefined);
    }
  };
}

async function mustTell(opening: Promise<unknown>, why: string): Promise<void> {
  const error = await rejectionOf(opening);
  if (!KayaError.is(error, "KAYA_IO")) throw new Error(`${why}, and opening says ${error}`);
}

/** The reads of an opening, and whether anything was changed before each. */
async function readsOf(
  disk: SimDisk,
  open: (disk: SimDisk) => Promise<unknown>,
): Promise<readonly { readonly atRead: number; readonly onlyLooks: boolean }[]> {
  await open(disk);
  const firstChange = disk.events.findIndex(({ index }) => index !== undefined);
  return disk.events.flatMap(({ readIndex }, place) =>
    readIndex === undefined ? [] : [{ atRead: readIndex, onlyLooks: firstChange < 0 || place < firstChange }],
  );
}
