import { crc32c, type KayaErrorCode, type RecoveryMode, type WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { recoverWal, WAL_HEADER_LENGTH, WalWriter } from "@kaya/wal";
import type { Check } from "./check-run.js";
import { isSegmentPath, segmentPath } from "./encoded-log.js";
import { mustRefuse, rejectionOf } from "./refusal.js";
import { type Scenario, scenario } from "./scenario.js";
import { walCheck } from "./wal-check.js";
import { flippedHeadersCheck } from "./wal-header-check.js";
import { failedReadsCheck } from "./wal-read-check.js";
import { WalSession } from "./wal-session.js";
import { put, value, type WalWrite } from "./wal-write.js";

/**
 * Damage that no crash does, on top of every crash state: recovery refuses, and has changed nothing. Without the damage the log opens.
 */
export function refusalScenarios(tiny: Partial<WalConfig>): Scenario[] {
  const config = { ...tiny, recovery: "tail" } as const;
  const checks: readonly (readonly [name: string, check: Check<WalWrite>])[] = [
    ["damage that is not at the tail is refused", damageCheck(config)],
    ["a torn tail is refused in mode absolute", absoluteCheck(config)],
    ["flipped bits in record headers", flippedHeadersCheck(config)],
    ["reads that fail while it opens", failedReadsCheck(config)],
  ];
  return checks.map(([name, check]) =>
    scenario<WalWrite>(`wal: ${name}`, {
      workload: async (disk, history) => live(new WalSession(disk, history, { config })),
      check: async (disk, view, recovered) => {
        await check(disk, view, recovered);
        await walCheck({ config })(disk, view, recovered);
      },
    }),
  );
}

async function live(session: WalSession): Promise<void> {
  await session.open();
  await session.append([put("a", value(300)), "relaxed"], [put("b")]);
  await session.append([put("c", value(400)), "relaxed"]); // the second segment
  await session.append([put("d"), "relaxed"], [put("e", value(100)), "relaxed"]);
  session.kill();
  await session.open();
  await session.append([put("f", value(300))], [put("g"), "relaxed"]); // the third
  await session.append([put("h", value(150)), "relaxed"]);
}

interface Damage {
  readonly name: string;
  readonly code: KayaErrorCode;
  /** To the closed segment at `path`; `next` is a segment's name that is free. */
  readonly apply: (disk: SimDisk, path: string, bytes: Uint8Array, next: string) => void;
}

const DAMAGES: readonly Damage[] = [
  {
    name: "a flipped bit",
    code: "KAYA_CORRUPTION",
    apply: (disk, path, { length }) => disk.flipBit(path, length - 1, 0),
  },
  {
    name: "the last byte cut off",
    code: "KAYA_CORRUPTION",
    apply: (disk, path, { length }) => disk.truncateDurably(path, length - 1),
  },
  { name: "a segment taken away", code: "KAYA_CORRUPTION", apply: (disk, path) => disk.removeDurably(path) },
  {
    name: "a segment doubled",
    code: "KAYA_CORRUPTION",
    apply: (disk, _, bytes, next) => disk.writeFile(next, bytes),
  },
  {
    name: "a segment behind the last possible one",
    code: "KAYA_CORRUPTION",
    apply: (disk, _, bytes) => disk.writeFile("wal/ffffffffffffffff.wal", bytes),
  },
  {
    name: "a record of a later version",
    code: "KAYA_UNSUPPORTED_VERSION",
    apply: (disk, path, bytes) => disk.writeFile(path, asLaterVersion(bytes)),
  },
];

/** *Refuse* in the recovery table means that nothing is changed, even if the crash left something else to cut or finish. */
function damageCheck(config: Partial<WalConfig>): Check<WalWrite> {
  return async (disk) => {
    const segments = (await disk.list("wal")).filter(({ path }) => isSegmentPath(path));
    const next = segmentPath(Number.parseInt(segments.at(-1)?.path.slice(4, 20) ?? "0", 16) + 1);
    for (const { path } of segments.slice(0, -1)) {
      for (const { name, code, apply } of DAMAGES) {
        const damaged = disk.fork();
        apply(damaged, path, disk.readFile(path) ?? Buffer.of(), next);
        await mustRefuse(damaged, (it) => WalWriter.open(config, it), code, `${name} (${path})`);
      }
    }
  };
}

/** The first record's header as a later version would write it: its checksum holds. */
function asLaterVersion(segment: Uint8Array): Uint8Array {
  const bytes = segment.slice();
  const header = new DataView(bytes.buffer, 0, WAL_HEADER_LENGTH);
  header.setUint16(4, 2, true);
  header.setUint32(32, 0, true);
  header.setUint32(32, crc32c(bytes.subarray(0, WAL_HEADER_LENGTH)), true);
  return bytes;
}

/** Refused where the tail is torn, and nowhere else: only zeros may be cut. */
function absoluteCheck(config: Partial<WalConfig>): Check<WalWrite> {
  const recovery: RecoveryMode = "absolute";
  const open = (disk: SimDisk) => WalWriter.open({ ...config, recovery }, disk);
  return async (disk) => {
    const { truncatedBytes, warnings } = await recoverWal(config, disk, { dryRun: true });
    const isTorn = truncatedBytes > 0 && !warnings.some(({ kind }) => kind === "ZeroFilledTail");
    if (isTorn) return mustRefuse(disk.fork(), open, "KAYA_CORRUPTION", "a torn tail");
    const error = await rejectionOf(open(disk.fork()));
    if (error !== undefined) throw new Error(`a whole log is refused in mode absolute: ${error}`);
  };
}
