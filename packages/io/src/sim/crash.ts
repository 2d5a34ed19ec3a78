import { describe, KayaError } from "@kaya/core";
import type { Random } from "./random.js";

/**
 * An unsynced operation whose fate a crash decides. Data comes with the path of the name that still leads to it. `id`
 * numbers these operations in the order of their making, over the whole disk: on a fork, and in another run with the
 * same calls, the same operation has the same number.
 */
export type CrashItem = { readonly id: number } & (
  | {
      readonly kind: "write";
      readonly path: string;
      readonly position: number;
      readonly length: number;
      /** Length of the file as it survives up to here. */
      readonly fileLength: number;
    }
  | {
      readonly kind: "truncate";
      readonly path: string;
      readonly length: number;
      readonly fileLength: number;
    }
  | { readonly kind: "link" | "unlink"; readonly path: string }
  | { readonly kind: "rename"; readonly path: string; readonly target: string }
);

/** A write of which some sectors reached the disk. Sectors are those of the file: they begin at multiples of their size. */
export interface TornWrite {
  /** Bytes of a sector: a disk writes each sector whole or not at all. */
  readonly sectorBytes: 512 | 4096;
  /** The sectors that reached the disk, counted from the first one that the write touches. */
  readonly keptSectors: readonly number[];
  /** What the write's range holds in the other sectors; `old` is zeros behind the file's old end. */
  readonly rest: "old" | "zeros" | "garbage";
  /** Where the file ends, brought between its old end and the write's; without it, behind the last kept sector. */
  readonly fileLength?: number;
}

/** The fate of an unsynced operation: it survives the crash whole, not at all, or in part. */
export type CrashOutcome = "kept" | "lost" | TornWrite;

/** Decides one item; only a write can be torn. Items come in the order in which they were done, names before data. */
export type CrashDecision = (item: CrashItem) => CrashOutcome;

/** What a crash leaves of the unsynced operations. */
export interface CrashOptions {
  /** What is left of the unsynced operations. Default `"nothing"`. */
  readonly survive?: "nothing" | "everything" | "random";
  /**
   * The seed of `"random"` and of garbage. Default: made from the disk's seed and the number of operations so
   * far.
   */
  readonly seed?: number;
  /** Decides each operation, instead of `survive`. */
  readonly decide?: CrashDecision;
}

/** What a crash left of the unsynced operations. */
export interface CrashReport {
  /** Pass it as `CrashOptions.seed` for the same crash again. */
  readonly seed: number;
  /** Every unsynced operation that could be reached, and its fate. */
  readonly items: readonly CrashReportItem[];
}

/** An unsynced operation, and its fate. */
export interface CrashReportItem {
  /** The path of the file or name. */
  readonly path: string;
  /** What the operation did. */
  readonly kind: CrashItem["kind"];
  /** Whether it survived whole, not at all, or in part. */
  readonly outcome: "kept" | "lost" | "torn";
  /** The operation, as `CrashOptions.decide` gets it. */
  readonly item: CrashItem;
  /** Which sectors of a torn write survived; absent for other outcomes. */
  readonly torn?: TornWrite;
}

/** The decision function of the options. */
export function decisionOf(options: CrashOptions, random: Random): CrashDecision {
  if (options.decide !== undefined) return options.decide;
  const survive = options.survive ?? "nothing";
  if (survive === "nothing") return () => "lost";
  if (survive === "everything") return () => "kept";
  if (survive === "random") return (item) => decideAtRandom(item, random);
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `survive must be "nothing", "everything" or "random", not ${describe(survive)}`,
  );
}

function decideAtRandom(item: CrashItem, random: Random): CrashOutcome {
  if (item.kind !== "write") return random.chance(0.5) ? "kept" : "lost";
  const outcome = random.pick(["kept", "lost", "torn"]);
  return outcome === "torn" ? tearAtRandom(item.position, item.length, item.fileLength, random) : outcome;
}

function tearAtRandom(position: number, length: number, fileLength: number, random: Random): TornWrite {
  const sectorBytes = random.pick([512, 4096]);
  const last = Math.floor((position + length - 1) / sectorBytes) - Math.floor(position / sectorBytes);
  const keptSectors: number[] = [];
  for (let sector = 0; sector <= last; sector++) if (random.chance(0.5)) keptSectors.push(sector);
  const torn: TornWrite = { sectorBytes, keptSectors, rest: random.pick(["old", "zeros", "garbage"]) };
  const end = Math.max(fileLength, position + length);
  const somewhere = fileLength + random.below(end - fileLength + 1);
  const ends = random.pick([undefined, fileLength, end, somewhere]);
  return ends === undefined ? torn : { ...torn, fileLength: ends };
}
