import { setImmediate } from "node:timers/promises";
import type { Disk, DiskFile } from "@kaya/io";
import type { TableMeta } from "../manifest/manifest-state.js";
import { corruption, EXPIRY_FOOTER_BYTES } from "../table/format.js";

/** Bytes of one read and one write. */
const STEP_BYTES = 1024 * 1024;

/** A table that can be copied. */
export interface TableSource {
  /** The level of the table in its tree. */
  readonly level: number;
  /** The table, as its manifest describes it. */
  readonly meta: TableMeta;
  /** The path of the file, relative to the root of its disk. */
  readonly path: string;
  /**
   * Fills `into` with bytes of the file from `position` on; resolves to how many, fewer than asked only at its
   * end.
   */
  read(position: number, into: Uint8Array): Promise<number>;
}

/** Called after each step with the bytes copied. An error that it throws ends the work. */
export type OnBytes = (bytes: number) => void;

/**
 * Writes the bytes of a table into a new file, and syncs them; the caller makes its name durable. Only the length is checked.
 * @param path nothing may be there
 * @param syncBytes the copy is synced after so many bytes, so that no sync takes long
 * @throws KayaError KAYA_CORRUPTION where the source ends too early; KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO
 */
export async function copyTable(
  source: TableSource,
  disk: Disk,
  path: string,
  { syncBytes, onBytes }: { readonly syncBytes: number; readonly onBytes: OnBytes },
): Promise<void> {
  const file = await disk.open(path, { create: true, exclusive: true });
  try {
    let unsynced = 0;
    for await (const bytes of steps(source)) {
      await file.append(bytes);
      unsynced += bytes.length;
      if (unsynced >= syncBytes) {
        await file.sync();
        unsynced = 0;
      }
      onBytes(bytes.length);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Whether a file has the bytes that its source has now. @throws KayaError KAYA_CORRUPTION as `copyTable`; KAYA_IO */
export async function isSameAsSource(source: TableSource, disk: Disk, path: string): Promise<boolean> {
  return withFile(disk, path, async (file) => {
    if ((await file.length()) !== source.meta.fileBytes) return false;
    let position = 0;
    for await (const bytes of steps(source)) {
      const there = Buffer.alloc(bytes.length);
      const read = await file.readAt(position, there);
      if (read !== bytes.length || !there.equals(bytes)) return false;
      position += read;
    }
    return true;
  });
}

/**
 * The end of a table, as long as its longest footer. Its 16 random bytes are unique, and every block's checksum begins with them: tables
 * with the same footer and whole blocks are the same table.
 */
export async function footerOfSource(source: TableSource): Promise<Buffer> {
  const { fileBytes } = source.meta;
  const footer = Buffer.alloc(Math.min(fileBytes, EXPIRY_FOOTER_BYTES));
  const read = await source.read(fileBytes - footer.length, footer);
  if (read !== footer.length) throw endsEarly(source, fileBytes - footer.length + read);
  return footer;
}

/** Whether a file has the table's length and this footer. @throws KayaError KAYA_NOT_FOUND, KAYA_IO */
export async function hasFooter(
  disk: Disk,
  path: string,
  { fileBytes }: TableMeta,
  footer: Buffer,
): Promise<boolean> {
  return withFile(disk, path, async (file) => {
    if ((await file.length()) !== fileBytes) return false;
    const there = Buffer.alloc(footer.length);
    const read = await file.readAt(fileBytes - footer.length, there);
    return read === footer.length && there.equals(footer);
  });
}

/** The source's bytes in order. They are lent until the next step. */
async function* steps(source: TableSource): AsyncGenerator<Uint8Array, void> {
  const { fileBytes } = source.meta;
  const buffer = new Uint8Array(Math.min(STEP_BYTES, fileBytes));
  for (let position = 0; position < fileBytes; ) {
    await setImmediate(); // lets the event loop turn
    const bytes = buffer.subarray(0, Math.min(buffer.length, fileBytes - position));
    const read = await source.read(position, bytes);
    if (read !== bytes.length) throw endsEarly(source, position + read);
    yield bytes;
    position += read;
  }
}

function endsEarly({ path, meta }: TableSource, offset: number): Error {
  return corruption(path, offset, `the file ends here, and must have ${meta.fileBytes} bytes`);
}

async function withFile<T>(disk: Disk, path: string, use: (file: DiskFile) => Promise<T>): Promise<T> {
  const file = await disk.open(path, { readOnly: true });
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
