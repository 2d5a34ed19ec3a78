import { KayaError } from "@kaya/core";
import type { Disk, DiskFile } from "@kaya/io";
import type { LsmSnapshot, TableDamage } from "@kaya/lsm";

type TableSource = LsmSnapshot["sources"][number];

/**
 * A disk with one file, to be read: a table that is open, although another process may have removed its name. It has what `verifyTable`
 * calls, and nothing else.
 */
export function sourceDisk(source: TableSource): Disk {
  const file: Partial<DiskFile> = {
    path: source.path,
    length: async () => source.meta.fileBytes,
    readAt: (position, into) => source.read(position, into),
    close: async () => undefined,
  };
  const disk: Partial<Disk> = { open: async () => file as DiskFile };
  return disk as Disk;
}

/** The error of a damaged table, which is not shipped. */
export function damagedTable(
  path: string,
  { offset, message }: Pick<TableDamage, "offset" | "message">,
): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `${path} is damaged at offset ${offset}: ${message}. It was not shipped. Restore it from an earlier copy.`,
  );
}
