import { allocateBytes, crc32c } from "@kaya/core";
import type { DiskFile } from "@kaya/io";
import { checkBlock, rawBytesOf, type StoredBlock, type TableContext } from "./block-codec.js";
import type { BlockOrigin } from "./data-block.js";
import { type Footer, footerBytes, versionOf } from "./footer.js";
import { type BlockKind, corruption, endOf, type Place, TRAILER_BYTES } from "./format.js";

/** Reads whole blocks of one file, and lets out nothing that its checksum does not vouch for. */
export class BlockReader {
  readonly #file: DiskFile;
  readonly #context: TableContext;
  readonly #fileBytes: number;
  readonly #version: number;
  /** Where blocks end at the latest. */
  readonly blocksEnd: number;

  constructor(file: DiskFile, path: string, footer: Footer) {
    this.#file = file;
    this.#context = { path, seedCrc: crc32c(footer.seed) };
    this.#fileBytes = footer.fileBytes;
    this.#version = versionOf(footer);
    this.blocksEnd = footer.fileBytes - footerBytes(footer.expiry);
  }

  get path(): string {
    return this.#context.path;
  }

  /** What a data block has to know of where it came from. */
  originAt(offset: number): BlockOrigin {
    return { path: this.path, offset, version: this.#version };
  }

  /** @throws KayaError KAYA_CORRUPTION; KAYA_IO */
  async read(place: Place, kind: BlockKind): Promise<Uint8Array> {
    const bytes = allocateBytes(place.length + TRAILER_BYTES);
    await this.fill(bytes, place.offset);
    return this.rawOf(this.check(bytes, kind, place.offset), place.offset);
  }

  readSync(place: Place, kind: BlockKind): Uint8Array {
    const bytes = allocateBytes(place.length + TRAILER_BYTES);
    this.fillSync(bytes, place.offset);
    return this.rawOf(this.check(bytes, kind, place.offset), place.offset);
  }

  /** Fills `bytes` with what is at `offset`. @throws KayaError KAYA_CORRUPTION where the file ends before; KAYA_IO */
  async fill(bytes: Uint8Array, offset: number): Promise<void> {
    this.#checkRead(await this.#file.readAt(offset, bytes), bytes.length, offset);
  }

  fillSync(bytes: Uint8Array, offset: number): void {
    this.#checkRead(this.#file.readAtSync(offset, bytes), bytes.length, offset);
  }

  /** @param bytes a block with its trailer */
  check(bytes: Uint8Array, kind: BlockKind, offset: number): StoredBlock {
    return checkBlock(bytes, kind, offset, this.#context);
  }

  rawOf(block: StoredBlock, offset: number): Uint8Array {
    return rawBytesOf(block, offset, this.#context);
  }

  #checkRead(read: number, length: number, offset: number): void {
    if (read === length) return;
    throw corruption(
      this.path,
      offset,
      `the file ends ${length - read} bytes before the block does; it had ${this.#fileBytes} bytes`,
    );
  }
}

/** Bytes from the first block's beginning to the last one's end. */
export function spanOf(first: Place, last: Place): number {
  return endOf(last) - first.offset;
}
