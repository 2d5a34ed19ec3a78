import { KayaError } from "@kaya/core";
import type { Disk, DiskFile } from "@kaya/io";
import type { LsmSnapshot, TableDamage } from "@kaya/lsm";

type TableSource = LsmSnapshot["sources"][number];

/**
 * A read-only disk with one file: a table that is open. It stays readable even if another process removes its name. The disk only has the
 * methods that `verifyTable` calls.
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

/** The error of a damaged table. Such a table is not shipped. */
export function damagedTable(
  path: string,
  { offset, message }: Pick<TableDamage, "offset" | "message">,
): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `${path} is damaged at offset ${offset}: ${message}. It was not shipped. Restore it from an earlier copy.`,
  );
}
