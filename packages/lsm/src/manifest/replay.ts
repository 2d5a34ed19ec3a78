import { KayaError } from "@kaya/core";
import { applyEdit, EMPTY_STATE, type ManifestState } from "./manifest-state.js";
import {
  decodeManifestRecord,
  findRecordBehind,
  type ManifestDamage,
  type ManifestRecord,
} from "./record.js";

export interface PlacedRecord {
  readonly offset: number;
  readonly length: number;
  readonly record: ManifestRecord;
}

/**
 * - `whole`: every byte belongs to a record.
 * - `torn`: what is behind `validLength` can be what a crash left of the last edit, which was never synced.
 * - `damaged`: a crash cannot have done this.
 * - `unknown-format`: a newer version wrote it.
 */
export type Verdict = "whole" | "torn" | "damaged" | "unknown-format";

export interface Replay {
  readonly records: readonly PlacedRecord[];
  /** After the last record that holds. */
  readonly state: ManifestState;
  readonly validLength: number;
  readonly verdict: Verdict;
  /** The failure at `validLength`; absent if all is whole. */
  readonly damage?: ManifestDamage;
}

/**
 * Replays a manifest up to the first wrong byte.
 * @param number the one in the file's name; undefined: that of the first record
 */
export function replayManifest(bytes: Uint8Array, number?: number): Replay {
  const records: PlacedRecord[] = [];
  let state = EMPTY_STATE;
  let offset = 0;
  const end = (verdict: Verdict, damage?: ManifestDamage): Replay => ({
    records,
    state,
    validLength: offset,
    verdict,
    ...(damage && { damage }),
  });
  while (offset < bytes.length || records.length === 0) {
    const previous = records.at(-1)?.record;
    const manifest = number ?? previous?.manifest;
    const decoded = decodeManifestRecord(bytes, offset, {
      manifest,
      number: previous && previous.number + 1,
    });
    if (decoded.damage !== undefined) return end(judge(bytes, decoded.damage, manifest), decoded.damage);
    const { record, length } = decoded;
    const next = follow(state, previous, record);
    if (typeof next === "string")
      return end("damaged", { kind: "DoesNotFit", offset, message: next, length });
    state = next;
    records.push({ offset, length, record });
    offset += length;
  }
  return end("whole");
}

/** The state after a whole record, or why it does not fit. */
function follow(
  state: ManifestState,
  previous: ManifestRecord | undefined,
  { type, payload }: ManifestRecord,
): ManifestState | string {
  const expected = previous === undefined ? "SNAPSHOT" : "EDIT";
  if (type !== expected) return `${type} stands where ${expected} must`;
  try {
    return applyEdit(state, payload);
  } catch (error) {
    if (!KayaError.is(error)) throw error;
    return error.message;
  }
}

/**
 * M3: each edit is synced before the next is written, and the snapshot before the file has its name. So only the bytes of one
 * edit at the very end can be torn.
 */
function judge(bytes: Uint8Array, damage: ManifestDamage, manifest: number | undefined): Verdict {
  const { kind, offset, length } = damage;
  if (kind === "UnsupportedVersion") return "unknown-format";
  if (offset === 0 || kind === "WrongNumber" || kind === "MalformedPayload") return "damaged";
  if (length !== undefined && offset + length < bytes.length) return "damaged";
  return findRecordBehind(bytes, offset, manifest) === undefined ? "torn" : "damaged";
}
