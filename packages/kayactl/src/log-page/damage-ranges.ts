import type { SegmentLocation, WalWarning } from "@kaya/wal";
import { formatWarning, WAL_HEADER_LENGTH } from "@kaya/wal";
import { readBytes } from "../inspect/inspection-printer.js";
import type { PageRange } from "../page/page-data.js";

/** Where a header says how long its payload is (FORMAT.md). */
const PAYLOAD_LENGTH_AT = 28;

/** What of a segment is no valid record of the log, from the first damage to its end. */
export async function damageRanges(
  location: SegmentLocation,
  warnings: readonly WalWarning[],
): Promise<PageRange[]> {
  const { length } = location;
  for (const warning of warnings) {
    if (!("offset" in warning) || warning.kind === "NonMonotonicLsn") continue;
    const { offset: from } = warning;
    const text = formatWarning(warning);
    if (warning.kind === "ZeroFilledTail") return [{ kind: "zeros", from, to: length, text }];
    const beyond = warnings.find((each) => each.kind === "ValidRecordsBeyondDamage");
    const to = Math.min(length, beyond?.firstOffset ?? (await endOfDamage(location, warning)));
    const damage: PageRange = { kind: "damage", from, to, text };
    if (to === length) return [damage];
    const behind = beyond === undefined ? "what stands behind the damage" : formatWarning(beyond);
    return [damage, { kind: "cut", from: to, to: length, text: behind }];
  }
  return [];
}

/** What is wrong behind a header that holds. */
const INSIDE_RECORD: readonly WalWarning["kind"][] = [
  "BadPayloadChecksum",
  "MalformedPayload",
  "UnknownOperation",
];

/** Only of a record whose header holds is it known how far it reaches. */
async function endOfDamage(
  location: SegmentLocation,
  { kind, offset }: WalWarning & { offset: number },
): Promise<number> {
  if (!INSIDE_RECORD.includes(kind)) return location.length;
  const header = await readBytes(location, offset, WAL_HEADER_LENGTH);
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  return offset + WAL_HEADER_LENGTH + view.getUint32(PAYLOAD_LENGTH_AT, true);
}
