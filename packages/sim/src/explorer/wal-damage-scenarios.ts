import { crc32c, type RecoveryMode, type WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import type { WalPayload } from "@kaya/wal";
import { encodeSegments, flipped, recordOffset, segmentPath } from "./encoded-log.js";
import { type Scenario, scenario } from "./scenario.js";
import { walCheck } from "./wal-check.js";
import { WalSession } from "./wal-session.js";
import { batch, del, noop, put, value, type WalWrite } from "./wal-write.js";

interface Damage {
  readonly name: string;
  readonly recovery: RecoveryMode;
  /** Segments that come back whole, and records that do of the next one. */
  readonly wholeSegments: number;
  readonly recordsBehind: number;
  readonly apply: (disk: SimDisk) => void;
  /** Bytes that recovery takes out and must keep, and those kept before. */
  readonly quarantined: readonly Uint8Array[];
  /** Opened as after a restart: the tail is cut where it stands, not written anew. */
  readonly trustPageCache?: boolean;
}

const SEGMENTS: readonly (readonly WalPayload[])[] = [
  [put("a"), del("a"), put("b", value(500))],
  [batch(put("c"), del("c")), put("d", value(400)), put("dd")],
  [put("e", value(300)), noop, put("f"), put("g")],
];
const [FIRST = Buffer.of(), SECOND = Buffer.of(), THIRD = Buffer.of()] = encodeSegments(SEGMENTS);

/** Of the record of "f": the next write of the workload is as long, and what stands behind it is whole. */
const F_OFFSET = recordOffset(THIRD, 2);
const WITHOUT_F = flipped(THIRD, F_OFFSET + 50, 3);

const damagedAtF = {
  recovery: "tail",
  wholeSegments: 2,
  recordsBehind: 2,
  apply: (disk: SimDisk) => disk.flipBit(segmentPath(3), F_OFFSET + 50, 3),
  quarantined: [WITHOUT_F.subarray(F_OFFSET)],
} as const;
const COPY_OF_F = `wal/quarantine/0000000000000003.wal.${F_OFFSET}-${THIRD.length}.${hex(crc32c(WITHOUT_F.subarray(F_OFFSET)))}`;
const OTHER_BYTES = Buffer.from("taken out long ago");

const DAMAGES: readonly Damage[] = [
  {
    name: "a torn tail",
    recovery: "tail",
    wholeSegments: 2,
    recordsBehind: 2,
    apply: (disk) => disk.truncateDurably(segmentPath(3), THIRD.length - 110),
    quarantined: [],
  },
  {
    name: "a tail of zeros",
    recovery: "tail",
    wholeSegments: 3,
    recordsBehind: 0,
    apply: (disk) => disk.truncateDurably(segmentPath(3), THIRD.length + 600),
    quarantined: [],
  },
  {
    name: "a damaged tail",
    recovery: "tail",
    wholeSegments: 2,
    recordsBehind: 0,
    apply: (disk) => disk.flipBit(segmentPath(3), 100, 3),
    quarantined: [flipped(THIRD, 100, 3)],
  },
  {
    name: "a damaged last record",
    recovery: "tail",
    wholeSegments: 2,
    recordsBehind: 3,
    apply: (disk) => disk.flipBit(segmentPath(3), THIRD.length - 1, 0),
    quarantined: [flipped(THIRD, THIRD.length - 1, 0).subarray(recordOffset(THIRD, 3))],
  },
  { name: "a damaged tail with a record behind it", ...damagedAtF },
  {
    name: "a damaged tail with a record behind it, opened after a restart",
    ...damagedAtF,
    trustPageCache: true,
  },
  {
    name: "a damaged tail that is in quarantine already",
    ...damagedAtF,
    apply: (disk) => {
      damagedAtF.apply(disk);
      disk.writeFile(COPY_OF_F, WITHOUT_F.subarray(F_OFFSET));
    },
  },
  {
    name: "a damaged tail whose name in quarantine is taken",
    ...damagedAtF,
    apply: (disk) => {
      damagedAtF.apply(disk);
      disk.writeFile(COPY_OF_F, OTHER_BYTES);
    },
    quarantined: [...damagedAtF.quarantined, OTHER_BYTES],
  },
  {
    name: "a damaged closed segment",
    recovery: "prefix",
    wholeSegments: 0,
    recordsBehind: 0,
    apply: (disk) => disk.flipBit(segmentPath(1), 20, 0),
    quarantined: [flipped(FIRST, 20, 0), SECOND, THIRD],
  },
  {
    name: "a missing segment",
    recovery: "prefix",
    wholeSegments: 1,
    recordsBehind: 0,
    apply: (disk) => disk.removeDurably(segmentPath(2)),
    quarantined: [THIRD],
  },
];

/** Recovery of a damaged log, interrupted everywhere, and the life after it. */
export function damagedLogScenarios(tiny: Partial<WalConfig>): Scenario[] {
  return DAMAGES.map(
    ({ name, recovery, wholeSegments, recordsBehind, apply, quarantined, trustPageCache = false }) => {
      const config = { ...tiny, recovery, quarantineMaxBytes: 0 }; // damage is kept in spite of that
      const survivors = [
        ...SEGMENTS.slice(0, wholeSegments).flat(),
        ...(SEGMENTS[wholeSegments] ?? []).slice(0, recordsBehind),
      ];
      return scenario<WalWrite>(`wal: recovery of ${name}`, {
        workload: async (disk: SimDisk, history) => {
          for (const [index, bytes] of [FIRST, SECOND, THIRD].entries()) {
            disk.writeFile(segmentPath(index + 1), bytes);
          }
          apply(disk);
          const session = new WalSession(disk, history, { config, trustPageCache });
          session.begin(survivors);
          await session.open();
          await session.append([put("x"), "relaxed"]);
          await session.append([put("y", value(300))], [put("z", value(400)), "relaxed"]);
        },
        check: walCheck({ config, quarantined, trustPageCache }),
      });
    },
  );
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}
