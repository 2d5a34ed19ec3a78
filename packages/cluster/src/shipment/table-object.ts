import { createHash } from "node:crypto";
import { crc32c, throwIfAborted } from "@kaya/core";
import type { Disk, DiskFile } from "@kaya/io";
import { type LsmSnapshot, type TableMeta, tablePath, verifyTable } from "@kaya/lsm";
import type { BlobOptions, BlobStore } from "../blob-store.js";
import { damagedObject } from "./sealed-object.js";
import { damagedTable, sourceDisk } from "./source-disk.js";

type TableSource = LsmSnapshot["sources"][number];

/** Bytes of one read. */
const STEP_BYTES = 1024 * 1024;

/** The end of the file with this many bytes always contains the table's footer, and so its 16 random bytes. */
const FOOTER_BYTES = 256;

/** A table in a blob store. */
export interface TableObject {
  /** The name of the object. */
  readonly object: string;
  /** CRC-32C of all its bytes. */
  readonly crc32c: number;
  /** The level of the table. */
  readonly level: number;
  /** The table, as the manifest describes it. */
  readonly meta: TableMeta;
}

/**
 * A name that no other table has. A table's footer has 16 random bytes, and they are part of the checksum of each block.
 * @throws KayaError KAYA_IO
 */
export async function uniqueNameOf(source: TableSource): Promise<string> {
  const { fileBytes } = source.meta;
  const footer = new Uint8Array(Math.min(FOOTER_BYTES, fileBytes));
  await source.read(fileBytes - footer.length, footer);
  return createHash("sha256").update(footer).digest("hex").slice(0, 32);
}

/**
 * Stores a table under a name. It checks each block first, so that no damage is shipped. Afterwards it reads the object back.
 * @throws KayaError KAYA_CORRUPTION with the file and the offset if the table is damaged, or with the object if it does not read back
 *   correctly; KAYA_IO
 */
export async function putTable(
  source: TableSource,
  store: BlobStore,
  object: string,
  { signal }: BlobOptions = {},
): Promise<TableObject> {
  const { meta, level, path } = source;
  const { fileBytes, footerCrc } = meta;
  const { damage } = await verifyTable(sourceDisk(source), path, {
    expected: { fileBytes, footerCrc },
    ...(signal && { signal }),
  });
  if (damage[0] !== undefined) throw damagedTable(path, damage[0]);
  let crc = 0;
  async function* content(): AsyncGenerator<Uint8Array, void> {
    crc = 0;
    for (let at = 0; at < fileBytes; ) {
      const bytes = new Uint8Array(Math.min(STEP_BYTES, fileBytes - at));
      const read = await source.read(at, bytes);
      if (read !== bytes.length)
        throw damagedTable(path, {
          offset: at + read,
          message: `the file ends here, and must have ${fileBytes} bytes`,
        });
      crc = crc32c(bytes, crc);
      at += read;
      yield bytes;
    }
  }
  await store.put(object, content(), { ...(signal && { signal }) });
  const stored: TableObject = { object, crc32c: crc, level, meta };
  for await (const _ of readTable(stored, store, { ...(signal && { signal }) }));
  return stored;
}

/** Reads a stored table, and checks its size and checksum at the end. @throws KayaError KAYA_CORRUPTION, KAYA_NOT_FOUND, KAYA_IO */
export async function* readTable(
  { object, crc32c: expected, meta }: TableObject,
  store: BlobStore,
  options: BlobOptions = {},
): AsyncGenerator<Uint8Array, void> {
  let [crc, bytes] = [0, 0];
  for await (const piece of store.stream(object, options)) {
    crc = crc32c(piece, crc);
    bytes += piece.length;
    if (bytes > meta.fileBytes) break;
    yield piece;
  }
  if (bytes !== meta.fileBytes)
    throw damagedObject(
      store.name,
      object,
      Math.min(bytes, meta.fileBytes),
      `it must have ${meta.fileBytes} bytes`,
    );
  if (crc !== expected)
    throw damagedObject(store.name, object, 0, `its checksum is ${hex(crc)}, and must be ${hex(expected)}`);
}

/**
 * Writes a stored table to the path that the manifest expects, fsyncs it, and reads each block back. The caller makes the file's name
 * durable.
 * @throws KayaError as `readTable`; KAYA_DISK_FULL, KAYA_FSYNC_FAILED
 */
export async function getTable(
  stored: TableObject,
  store: BlobStore,
  disk: Disk,
  options: BlobOptions & { readonly onBytes?: (bytes: number) => void } = {},
): Promise<void> {
  const { onBytes, ...rest } = options;
  const path = tablePath(stored.meta.id);
  const file = await disk.open(path, { create: true, exclusive: true });
  try {
    for await (const piece of readTable(stored, store, rest)) {
      throwIfAborted(rest.signal);
      await append(file, piece);
      onBytes?.(piece.length);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  const { fileBytes, footerCrc } = stored.meta;
  const { damage } = await verifyTable(disk, path, { expected: { fileBytes, footerCrc }, ...rest });
  if (damage[0] !== undefined)
    throw damagedObject(store.name, stored.object, damage[0].offset, damage[0].message);
}

async function append(file: DiskFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += STEP_BYTES)
    await file.append(bytes.subarray(at, at + STEP_BYTES));
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}
