import type { DiskFile } from "@kaya/io";
import { compareBytes, copyBytes } from "../bytes.js";
import { EXPIRING, TOMBSTONE } from "../entry.js";
import { BlockReader } from "./block-reader.js";
import { DataBlock, EntryPlace } from "./data-block.js";
import { Filter } from "./filter.js";
import { type Footer, footerBytes } from "./footer.js";
import { BlockKind, damageOf, Encoding, endOf, kindName, type Place, TRAILER_BYTES } from "./format.js";
import { IndexBlock } from "./index-block.js";
import type { TableDamage, TableInspectionRow } from "./inspection.js";
import { KeyHash } from "./key-hash.js";
import { decodeProperties, type TableProperties } from "./properties.js";
import { decodeRangeTombstones } from "./range-tombstones.js";
import { ExpiryCounter, type TableExpiry } from "./table-expiry.js";

type Item = TableInspectionRow | TableDamage | TableProperties;

/** The place of a block by footer or index. */
interface Expected {
  readonly place: Place;
  readonly kind: BlockKind;
  /** Of a data block: its keys are not greater. */
  readonly separator?: Uint8Array;
}

/** What was counted in the data blocks. */
interface Counts {
  entries: number;
  tombstones: number;
  dataBlocks: number;
  rawBytes: number;
  storedBytes: number;
}

/** Looks at all of a table whose footer is known. */
export class TableSurvey {
  readonly #path: string;
  readonly #footer: Footer;
  readonly #footerCrc: number;
  readonly #reader: BlockReader;
  readonly #hash: KeyHash;
  readonly #counts: Counts = { entries: 0, tombstones: 0, dataBlocks: 0, rawBytes: 0, storedBytes: 0 };
  readonly #expiry = new ExpiryCounter();
  #filter: Filter | undefined;
  #last: Uint8Array | undefined;
  #isDamaged = false;

  constructor(file: DiskFile, path: string, footer: Footer, footerCrc: number) {
    this.#path = path;
    this.#footer = footer;
    this.#footerCrc = footerCrc;
    this.#reader = new BlockReader(file, path, footer);
    this.#hash = new KeyHash(footer.seed);
  }

  async *items(): AsyncGenerator<Item, void> {
    const expected: Expected[] = [];
    yield* this.#collect(expected);
    expected.sort((a, b) => a.place.offset - b.place.offset);
    const filter = expected.find(({ kind }) => kind === BlockKind.Filter);
    if (filter !== undefined) await this.#loadFilter(filter.place);
    let end = 0;
    let properties: TableProperties | undefined;
    for (const block of expected) {
      if (block.place.offset !== end && !this.#isDamaged)
        yield this.#damage(end, `bytes up to ${block.place.offset} that belong to no block, or to two`);
      end = endOf(block.place);
      try {
        const found = await this.#look(block);
        properties = found.properties ?? properties;
        yield found.row;
        for (const message of found.wrong) yield this.#damage(block.place.offset, message);
      } catch (error) {
        this.#isDamaged = true;
        yield damageOf(error);
      }
    }
    if (end !== this.#reader.blocksEnd && !this.#isDamaged)
      yield this.#damage(end, "bytes before the footer that belong to no block");
    yield this.#footerRow();
    if (properties === undefined) return;
    yield properties;
    if (!this.#isDamaged) yield* this.#compare(properties);
  }

  /** All places, from the footer and the index. */
  async *#collect(expected: Expected[]): AsyncGenerator<Item, void> {
    const { index, indexLevels, filter, rangeTombstones, properties } = this.#footer;
    expected.push({ place: properties, kind: BlockKind.Properties });
    if (filter !== undefined) expected.push({ place: filter, kind: BlockKind.Filter });
    if (rangeTombstones !== undefined)
      expected.push({ place: rangeTombstones, kind: BlockKind.RangeTombstones });
    const rootKind = indexLevels === 1 ? BlockKind.Index : BlockKind.TopIndex;
    yield* this.#collectIndex(index, rootKind, expected);
  }

  async *#collectIndex(place: Place, kind: BlockKind, expected: Expected[]): AsyncGenerator<Item, void> {
    expected.push({ place, kind });
    let block: IndexBlock;
    try {
      block = await this.#readIndex(place, kind);
    } catch (error) {
      damageOf(error); // other errors, such as a failed read, are thrown
      // Reported when the block itself is checked; the blocks behind it cannot be found.
      yield this.#damage(
        place.offset,
        `the blocks that this ${kindName(kind)} block names are not looked at`,
      );
      return;
    }
    for (let i = 0; i < block.count; i++) {
      if (kind === BlockKind.TopIndex) yield* this.#collectIndex(block.placeAt(i), BlockKind.Index, expected);
      else
        expected.push({
          place: block.placeAt(i),
          kind: BlockKind.Data,
          separator: copyBytes(block.separatorAt(i)),
        });
    }
  }

  async #readIndex(place: Place, kind: BlockKind): Promise<IndexBlock> {
    return new IndexBlock(
      await this.#reader.read(place, kind),
      this.#reader.blocksEnd,
      this.#path,
      place.offset,
    );
  }

  // Its damage is reported when the block is checked.
  async #loadFilter(place: Place): Promise<void> {
    try {
      this.#filter = new Filter(await this.#reader.read(place, BlockKind.Filter), this.#path, place.offset);
    } catch (error) {
      damageOf(error);
    }
  }

  async #look({ place, kind, separator }: Expected): Promise<{
    row: TableInspectionRow;
    wrong: string[];
    properties?: TableProperties;
  }> {
    const { offset } = place;
    const bytes = new Uint8Array(place.length + TRAILER_BYTES);
    await this.#reader.fill(bytes, offset);
    const stored = this.#reader.check(bytes, kind, offset);
    const raw = this.#reader.rawOf(stored, offset);
    const row: TableInspectionRow = {
      offset,
      length: bytes.length,
      kind: kindName(kind) as TableInspectionRow["kind"],
      encoding: stored.encoding === Encoding.Raw ? "raw" : "snappy",
      rawLength: raw.length,
      checksum: new DataView(bytes.buffer).getUint32(place.length + 1, true),
    };
    switch (kind) {
      case BlockKind.Data: {
        const block = new DataBlock(raw, this.#reader.originAt(offset));
        this.#counts.dataBlocks++;
        this.#counts.storedBytes += bytes.length;
        return { row: { ...row, entries: block.count }, wrong: this.#lookAtEntries(block, separator) };
      }
      case BlockKind.Index:
      case BlockKind.TopIndex: {
        const index = new IndexBlock(raw, this.#reader.blocksEnd, this.#path, offset);
        return { row: { ...row, entries: index.count }, wrong: [] };
      }
      case BlockKind.RangeTombstones: {
        const { length } = decodeRangeTombstones(raw, this.#path, offset);
        return { row: { ...row, entries: length }, wrong: [] };
      }
      case BlockKind.Properties:
        return { row, wrong: [], properties: decodeProperties(raw, this.#footer.expiry, this.#path, offset) };
      case BlockKind.Filter:
        return { row, wrong: [] };
    }
  }

  #lookAtEntries(block: DataBlock, separator: Uint8Array | undefined): string[] {
    const wrong = new Set<string>();
    const place = new EntryPlace();
    const { inCommon } = block;
    let position = inCommon;
    let key: Uint8Array = new Uint8Array(0);
    for (let i = 0; i < block.count; i++) {
      const isRestart = i % block.interval === 0;
      if (isRestart && block.restartAt(i / block.interval) !== position)
        wrong.add("a restart point that is none");
      position = block.decode(position, place);
      key = new Uint8Array(inCommon + place.keyEnd - place.keyStart);
      key.set(block.bytes.subarray(0, inCommon));
      key.set(block.bytes.subarray(place.keyStart, place.keyEnd), inCommon);
      if (this.#last !== undefined && compareBytes(this.#last, key) >= 0)
        wrong.add("keys that do not ascend");
      this.#last = key;
      this.#hash.update(key);
      const { first, second } = this.#hash;
      const isFound = block.find(key, first, second, FOUND) && FOUND.keyStart === place.keyStart;
      if (!isFound || block.lowerBound(key) !== i) wrong.add("a key that a search does not find");
      if (this.#filter?.mayContain(first, second) === false)
        wrong.add("a key that the filter says is not there");
      this.#counts.entries++;
      if (place.kind === TOMBSTONE) this.#counts.tombstones++;
      else if (place.kind === EXPIRING) this.#expiry.add(place.expiresAt);
      this.#counts.rawBytes += key.length + place.valueEnd - place.valueStart;
    }
    if (block.restartAt(block.restarts) !== position) wrong.add("entries that do not end where they must");
    if (block.takenSlots !== block.count) wrong.add("a hash index with slots of no entry");
    if (separator !== undefined && compareBytes(key, separator) > 0)
      wrong.add("a key behind what the index says");
    return [...wrong];
  }

  *#compare(properties: TableProperties): Generator<Item, void> {
    for (const [name, counted] of Object.entries(this.#counts)) {
      const noted = properties[name as keyof Counts];
      if (noted !== counted)
        yield this.#damage(
          this.#footer.properties.offset,
          `the properties say ${name} ${noted}, the blocks have ${counted}`,
        );
    }
    const [noted, counted] = [expiryText(properties.expiry), expiryText(this.#expiry.expiry)];
    if (noted !== counted)
      yield this.#damage(
        this.#footer.fileBytes - footerBytes(properties.expiry),
        `the footer says ${noted}, the blocks have ${counted}`,
      );
  }

  #footerRow(): TableInspectionRow {
    const length = footerBytes(this.#footer.expiry);
    return {
      offset: this.#footer.fileBytes - length,
      length,
      kind: "footer",
      encoding: "raw",
      rawLength: length,
      checksum: this.#footerCrc,
    };
  }

  #damage(offset: number, message: string): TableDamage {
    this.#isDamaged = true;
    return { offset, message };
  }
}

function expiryText(expiry: TableExpiry | undefined): string {
  if (expiry === undefined) return "no entry that expires";
  const { entries, earliest, half, latest } = expiry;
  return `${entries} entries that expire from ${earliest} on, half of them by ${half}, all by ${latest}`;
}

// Used within one call only.
const FOUND = new EntryPlace();
