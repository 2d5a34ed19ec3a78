import type { WalConfig } from "@kaya/core";
import { Random, type SimDisk } from "@kaya/io";
import { type RecoveredRecord, recoverWal, WAL_HEADER_LENGTH, WalWriter } from "@kaya/wal";
import type { Check } from "./check-run.js";
import { isSegmentPath, segmentPath } from "./encoded-log.js";
import { mustRefuse } from "./refusal.js";
import { checkQuarantine } from "./wal-check.js";
import { samePayload, type WalWrite } from "./wal-write.js";

/** Chosen by the state itself, so that they are the same each time and others in the next state. */
const FLIPS_A_STATE = 4;

/**
 * One bit of a record's header is flipped: magic, version, header length, flags, type, LSN, sequence, payload length or
 * either checksum. In the last segment the log ends before that record and the rest is kept; in a closed one it is refused,
 * and `prefix` ends it there.
 */
export function flippedHeadersCheck(config: Partial<WalConfig>): Check<WalWrite> {
  return async (disk) => {
    const { records } = await recoverWal(config, disk, { dryRun: true });
    if (records.length === 0) return;
    const paths = (await disk.list("wal")).map(({ path }) => path).filter(isSegmentPath);
    const random = new Random(disk.stateDigest("everything"));
    for (let flip = 0; flip < FLIPS_A_STATE; flip++) {
      const index = random.below(records.length);
      const bit = random.below(8 * WAL_HEADER_LENGTH);
      await new FlippedHeader(disk, config, paths, records, index, bit).check();
    }
  };
}

class FlippedHeader {
  readonly #disk: SimDisk;
  readonly #config: Partial<WalConfig>;
  /** Of the record, and of the segments behind it. */
  readonly #path: string;
  readonly #later: readonly string[];
  readonly #recordOffset: number;
  readonly #before: readonly RecoveredRecord[];
  readonly #what: string;

  constructor(
    disk: SimDisk,
    config: Partial<WalConfig>,
    paths: readonly string[],
    records: readonly RecoveredRecord[],
    index: number,
    bit: number,
  ) {
    const { segmentId = 0, offset = 0 } = records[index] ?? {};
    this.#config = config;
    this.#path = segmentPath(segmentId);
    this.#later = paths.slice(paths.indexOf(this.#path) + 1);
    this.#recordOffset = offset;
    this.#before = records.slice(0, index);
    this.#what = `bit ${bit % 8} of byte ${bit >> 3} of the header at ${this.#path}:${offset} flipped`;
    this.#disk = disk.fork();
    this.#disk.flipBit(this.#path, offset + (bit >> 3), bit % 8);
  }

  async check(): Promise<void> {
    const isLast = this.#later.length === 0;
    const refusing = isLast ? "absolute" : "tail";
    const open = (disk: SimDisk) => WalWriter.open({ ...this.#config, recovery: refusing }, disk);
    await mustRefuse(this.#disk.fork(), open, "KAYA_CORRUPTION", this.#what);
    await this.#mustCut({ ...this.#config, recovery: isLast ? "tail" : "prefix" });
  }

  /** Records before it come back, also after a power cut; the rest is in quarantine. */
  async #mustCut(config: Partial<WalConfig>): Promise<void> {
    const disk = this.#disk.fork();
    const kept = [
      this.#bytesOf(this.#path).subarray(this.#recordOffset),
      ...this.#later.map((path) => this.#bytesOf(path)),
    ];
    await WalWriter.open(config, disk);
    for (const end of [() => disk.killProcess(), () => void disk.crash()]) {
      end();
      const { records, truncatedBytes } = await recoverWal(config, disk.fork(), { dryRun: true });
      if (!sameRecords(records, this.#before) || truncatedBytes > 0) {
        throw new Error(
          `${this.#what}: ${records.length} records came back, not the ${this.#before.length} before it`,
        );
      }
      await checkQuarantine(disk, kept);
    }
  }

  #bytesOf(path: string): Uint8Array {
    return this.#disk.readFile(path) ?? Buffer.of();
  }
}

function sameRecords(a: readonly RecoveredRecord[], b: readonly RecoveredRecord[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ record }, index) => {
      const other = b[index]?.record;
      return other !== undefined && record.lsn === other.lsn && samePayload(record.payload, other.payload);
    })
  );
}
