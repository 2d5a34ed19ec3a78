import type { RecoveryMode, WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { encodeRecord, operationCount, type WalPayload } from "@kaya/wal";
import { type Scenario, scenario } from "./scenario.js";
import { walCheck } from "./wal-check.js";
import { WalSession } from "./wal-session.js";
import { batch, del, noop, put, value, type WalWrite } from "./wal-write.js";

interface Damage {
  readonly name: string;
  readonly recovery: RecoveryMode;
  /** Segments of which everything comes back, and records of the one behind them that do. */
  readonly wholeSegments: number;
  readonly recordsBehind: number;
  readonly apply: (disk: SimDisk, segments: readonly Uint8Array[]) => void;
  /** What recovery takes out and has to keep. */
  readonly quarantined: (segments: readonly Uint8Array[]) => readonly (Uint8Array | undefined)[];
}

const SEGMENTS: readonly (readonly WalPayload[])[] = [
  [put("a"), del("a"), put("b", value(500))],
  [batch(put("c"), del("c")), put("d", value(400)), put("dd")],
  [put("e", value(300)), noop, put("f"), put("g")],
];

const DAMAGES: readonly Damage[] = [
  {
    name: "a torn tail",
    recovery: "tail",
    wholeSegments: 2,
    recordsBehind: 2,
    apply: (disk, segments) => disk.truncateDurably(pathOf(3), (segments[2]?.length ?? 0) - 110),
    quarantined: () => [],
  },
  {
    name: "a tail of zeros",
    recovery: "tail",
    wholeSegments: 3,
    recordsBehind: 0,
    apply: (disk, segments) => disk.truncateDurably(pathOf(3), (segments[2]?.length ?? 0) + 600),
    quarantined: () => [],
  },
  {
    name: "a damaged tail",
    recovery: "tail",
    wholeSegments: 2,
    recordsBehind: 0,
    apply: (disk) => disk.flipBit(pathOf(3), 100, 3),
    quarantined: (segments) => [segments[2] && flipped(segments[2], 100, 3)],
  },
  {
    name: "a damaged closed segment",
    recovery: "prefix",
    wholeSegments: 0,
    recordsBehind: 0,
    apply: (disk) => disk.flipBit(pathOf(1), 20, 0),
    quarantined: (segments) => [segments[0] && flipped(segments[0], 20, 0), segments[1], segments[2]],
  },
  {
    name: "a missing segment",
    recovery: "prefix",
    wholeSegments: 1,
    recordsBehind: 0,
    apply: (disk) => disk.removeDurably(pathOf(2)),
    quarantined: (segments) => [segments[2]],
  },
];

/** Recovery of a damaged log, interrupted everywhere, and the life after it. */
export function damagedLogScenarios(tiny: Partial<WalConfig>): Scenario[] {
  return DAMAGES.map((damage) => {
    const config = { ...tiny, recovery: damage.recovery };
    const segments = encodeSegments();
    const quarantined = damage.quarantined(segments).filter((bytes) => bytes !== undefined);
    const survivors = [
      ...SEGMENTS.slice(0, damage.wholeSegments).flat(),
      ...(SEGMENTS[damage.wholeSegments] ?? []).slice(0, damage.recordsBehind),
    ];
    return scenario<WalWrite>(`wal: recovery of ${damage.name}`, {
      workload: async (disk: SimDisk, history) => {
        for (const [index, bytes] of segments.entries()) disk.writeFile(pathOf(index + 1), bytes);
        damage.apply(disk, segments);
        const session = new WalSession(disk, history, { config });
        session.begin(survivors);
        await session.open();
        await session.append([put("x"), "relaxed"]);
        await session.append([put("y", value(300))], [put("z", value(400)), "relaxed"]);
      },
      check: walCheck({ config, quarantined }),
    });
  });
}

function encodeSegments(): Uint8Array[] {
  let lsn = 0;
  let sequence = 1;
  return SEGMENTS.map((payloads) => {
    const records = payloads.map((payload) => {
      const bytes = encodeRecord({ lsn: ++lsn, sequence, payload });
      sequence += operationCount(payload);
      return bytes;
    });
    return Buffer.concat(records);
  });
}

function flipped(bytes: Uint8Array, offset: number, bit: number): Uint8Array {
  return bytes.map((byte, index) => (index === offset ? byte ^ (1 << bit) : byte));
}

function pathOf(id: number): string {
  return `wal/${id.toString(16).padStart(16, "0")}.wal`;
}
