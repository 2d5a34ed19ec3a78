import type { WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import type { WalPayload } from "@kaya/wal";
import type { Check } from "./check-run.js";
import { encodeSegments, segmentPath } from "./encoded-log.js";
import { type Scenario, scenario } from "./scenario.js";
import { walCheck } from "./wal-check.js";
import { WalSession } from "./wal-session.js";
import { del, put, value, type WalWrite } from "./wal-write.js";

interface Linked {
  readonly name: string;
  /** Bytes that are missing at the end of the tail: a torn record. */
  readonly torn: number;
  /** Opened as after a restart: the page cache is trusted. */
  readonly trustPageCache: boolean;
}

const SEGMENTS: readonly (readonly WalPayload[])[] = [
  [put("a"), del("a"), put("b", value(500))],
  [put("c", value(300)), put("d"), put("e")],
];

const CASES: readonly Linked[] = [
  { name: "whole, opened after a restart", torn: 0, trustPageCache: true },
  { name: "torn, opened after a restart", torn: 5, trustPageCache: true },
  { name: "torn, opened after a kill", torn: 5, trustPageCache: false },
];

/** R7: a log with a copy that is made of hard links. Whatever the log does, the copy keeps its bytes. */
export function linkedLogScenarios(config: Partial<WalConfig>): Scenario[] {
  return CASES.map(({ name, torn, trustPageCache }) => {
    const copies = encodeSegments(SEGMENTS).map((bytes, index) => ({
      path: segmentPath(index + 1),
      copy: `copy/${index + 1}`,
      bytes: index === SEGMENTS.length - 1 ? bytes.subarray(0, bytes.length - torn) : bytes,
    }));
    const check: Check<WalWrite> = async (disk, view, recovered) => {
      await walCheck({ config, trustPageCache })(disk, view, recovered);
      for (const { copy, bytes } of copies) checkCopy(disk, copy, bytes);
    };
    return scenario<WalWrite>(`wal: a log with a copy of hard links, ${name}`, {
      workload: async (disk, history) => {
        for (const { path, copy, bytes } of copies) {
          disk.writeFile(path, bytes);
          disk.linkDurably(path, copy);
        }
        const session = new WalSession(disk, history, { config, trustPageCache });
        session.begin(torn === 0 ? SEGMENTS.flat() : SEGMENTS.flat().slice(0, -1));
        await session.open();
        await session.append([put("x"), "relaxed"]);
        await session.append([put("y", value(300)), "relaxed"], [put("z", value(400))]);
        await session.close();
      },
      check,
    });
  });
}

function checkCopy(disk: SimDisk, path: string, bytes: Uint8Array): void {
  const found = disk.readFile(path);
  if (found !== undefined && Buffer.compare(found, bytes) === 0) return;
  throw new Error(
    `${path}, which a hard link keeps, has ${found?.length} bytes: not the ${bytes.length} that it had`,
  );
}
