import type { Random } from "@kaya/io";
import {
  applyEdit,
  EMPTY_STATE,
  type ManifestEdit,
  type ManifestState,
  type TableMeta,
} from "../../src/manifest/manifest-state.js";
import { keyAfter } from "../../src/merge/compare.js";
import { bytes } from "./keys.js";

export function meta(id: number, start: string, last: string, sequence = 1): TableMeta {
  return {
    id,
    fileBytes: 1000 + id,
    footerCrc: 0xdeadbeef,
    entries: 10,
    tombstones: 2,
    rangeTombstones: 0,
    rawBytes: 2000,
    smallestSequence: sequence,
    largestSequence: sequence,
    start: bytes(start),
    end: keyAfter(bytes(last)),
  };
}

/** An edit that fits a state: a flush, a compaction of level 0, or a new identity. */
export function editFor(state: ManifestState, random: Random): ManifestEdit {
  const id = state.nextTableId;
  const sequence = state.covered.sequence + 1;
  const [level0 = []] = state.levels;
  const what = random.below(5);
  if (what === 0) return { logIdentity: `log ${id} ü` };
  if (what === 1 && level0.length > 0) {
    const removed = [0, 1].flatMap((level) =>
      (state.levels[level] ?? []).map((table) => ({ level, id: table.id })),
    );
    const table = {
      ...meta(id, "a", "z", state.covered.sequence),
      ...(random.below(3) === 0 && { end: undefined }),
    };
    return { removed, added: [{ level: 1, table }], nextTableId: id + 1 };
  }
  const start = String.fromCharCode(97 + random.below(20));
  return {
    added: [{ level: 0, table: meta(id, start, `${start}z`, sequence) }],
    covered: { lsn: state.covered.lsn + 2, sequence },
    nextTableId: id + 1 + random.below(3),
  };
}

/** States one behind the other, with the edits between them. */
export function history(random: Random, length: number): { states: ManifestState[]; edits: ManifestEdit[] } {
  const states: ManifestState[] = [EMPTY_STATE];
  const edits: ManifestEdit[] = [];
  while (edits.length < length) {
    const state = states.at(-1) as ManifestState;
    const edit = editFor(state, random);
    edits.push(edit);
    states.push(applyEdit(state, edit));
  }
  return { states, edits };
}
