import { describe, KayaError, type Lsn } from "@kaya/core";
import type { LogHistory } from "@kaya/wal";
import { invalid } from "../input.js";

/** A place in a log: behind the record with this LSN, of the log with this id. */
export interface ChangePosition {
  readonly id: string;
  readonly lsn: Lsn;
}

const TOKEN = /^([0-9a-f]{16})-(0|[1-9][0-9]{0,15})$/;

const START_ANEW = "Read the data as it is now, and follow it from a new token.";

/** The change token of a position: it stands behind the record with that LSN. */
export function toToken({ id, lsn }: ChangePosition): string {
  return `${id}-${lsn}`;
}

/** Undefined where the text is no token. */
export function parseToken(text: unknown): ChangePosition | undefined {
  const [, id, lsn] = (typeof text === "string" && TOKEN.exec(text)) || [];
  if (id === undefined || !Number.isSafeInteger(Number(lsn))) return undefined;
  return { id, lsn: Number(lsn) };
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function readToken(token: unknown): ChangePosition {
  const position = parseToken(token);
  if (position === undefined)
    throw invalid(
      `${describe(token)} is no change token: pass the \`token\` of a change, or one of \`changesToken\``,
    );
  return position;
}

/** Whether the log still is what it was at this position. */
export function isOf(history: LogHistory | undefined, { id, lsn }: ChangePosition): boolean {
  return lsn <= (history?.commonWith(id) ?? -1);
}

/**
 * The LSN of a position in this log.
 * @throws KayaError KAYA_LOG_TRUNCATED
 */
export function toLsn(history: LogHistory | undefined, position: ChangePosition): Lsn {
  if (isOf(history, position)) return position.lsn;
  const common = history?.commonWith(position.id);
  const why =
    common === undefined
      ? "of another log, or of one whose id was lost"
      : `behind LSN ${common}, where a recovery cut the log: what it stands for is not in it any more`;
  throw new KayaError("KAYA_LOG_TRUNCATED", `the change token ${toToken(position)} is ${why}. ${START_ANEW}`);
}
