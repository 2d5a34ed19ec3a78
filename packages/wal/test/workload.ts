import { type DurabilityMode, KayaError, type WalConfig } from "@kaya/core";
import type { Disk } from "@kaya/io";
import {
  type AppendResult,
  operationCount,
  type WalPayload,
  type WalRecord,
  WalWriter,
  type WalWriterOptions,
} from "../src/index.js";
import { batch, del, delRange, fill, noop, outcome, plain, put, SMALL } from "./support.js";

export interface Attempt {
  readonly payload: WalPayload;
  readonly mode: DurabilityMode;
  /**
   * pending: never settled · acknowledged · taken-back: rejected by a writer that went on (W3) or never took it ·
   * unknown: rejected by a writer that failed for good, so that it may come back or not (W4).
   */
  state: "pending" | "acknowledged" | "taken-back" | "unknown";
  result?: AppendResult;
  error?: unknown;
}

type Append = readonly [WalPayload, DurabilityMode];
/** Appended in one turn. `waitFor`: what to wait for before the next turn. */
export interface Turn {
  readonly appends: readonly Append[];
  readonly waitFor: "all" | "a-tick" | "sync";
}

/** Both modes, batches, several in flight, three rotations, records over a sector, unsynced records at the end. */
export const TURNS: readonly Turn[] = [
  { appends: [[put("a"), "strict"]], waitFor: "all" },
  {
    appends: [
      [put("b"), "relaxed"],
      [del("a"), "relaxed"],
      [batch(put("c"), del("b"), put("c2", fill(0)), delRange("x", "y")), "strict"],
      [put("d", fill(700, 0x64)), "relaxed"],
    ],
    waitFor: "all",
  },
  { appends: [[delRange("e"), "relaxed"]], waitFor: "all" },
  {
    appends: [
      [put("f", fill(900, 0x66)), "strict"],
      [put("g"), "relaxed"],
    ],
    waitFor: "a-tick",
  },
  {
    appends: [
      [put("h"), "relaxed"],
      [noop, "strict"],
    ],
    waitFor: "a-tick",
  },
  { appends: [[put("i", fill(500, 0x69)), "relaxed"]], waitFor: "all" },
  { appends: [[put("j", fill(600, 0x6a)), "relaxed"]], waitFor: "sync" },
  {
    appends: [
      [put("k", fill(1200, 0x6b)), "relaxed"],
      [put("l"), "relaxed"],
    ],
    waitFor: "all",
  },
  { appends: [[put("m"), "strict"]], waitFor: "all" },
  {
    appends: [
      [put("n"), "relaxed"],
      [batch(put("o"), del("n")), "relaxed"],
    ],
    waitFor: "all",
  },
];

/** Many unsynced writes at once, over rotations. */
export const RELAXED_TURNS: readonly Turn[] = Array.from({ length: 9 }, (_, index) => ({
  appends: [
    [
      index % 4 === 3 ? batch(put(`r${index}`), del("x")) : put(`r${index}`, fill(60 + 130 * (index % 5))),
      "relaxed",
    ],
  ],
  waitFor: "all",
}));

/** One writer's life on a disk, and all that it was asked and told. */
export class Run {
  readonly attempts: Attempt[] = [];
  writer: WalWriter | undefined;
  openError: unknown;
  closed: "no" | "resolved" | "rejected" = "no";

  /** Goes through the turns; on a disk that halts this never returns. */
  async work(
    disk: Disk,
    turns: readonly Turn[] = TURNS,
    config: Partial<WalConfig> = SMALL,
    close = false,
  ): Promise<void> {
    const writer = await this.open(disk, config);
    for (const turn of turns) {
      const settled = turn.appends.map(([payload, mode]) => this.append(payload, mode));
      if (turn.waitFor === "a-tick") await Promise.resolve();
      else await Promise.all(settled);
      if (turn.waitFor === "sync") await outcome(writer.sync());
    }
    if (!close) return;
    const result = await outcome(writer.close());
    this.closed = "error" in result ? "rejected" : "resolved";
  }

  async open(disk: Disk, config: Partial<WalConfig> = SMALL, options?: WalWriterOptions): Promise<WalWriter> {
    this.writer = await WalWriter.open(config, disk, options);
    return this.writer;
  }

  /** Resolves once the append is settled, either way. */
  async append(payload: WalPayload, mode: DurabilityMode = "strict"): Promise<Attempt> {
    const attempt: Attempt = { payload, mode, state: "pending" };
    this.attempts.push(attempt);
    try {
      attempt.result = await this.#writer.append(payload, mode);
      attempt.state = "acknowledged";
    } catch (error) {
      attempt.error = error;
      const neverTaken = KayaError.is(error, "KAYA_WRITER_FAILED") || KayaError.is(error, "KAYA_CLOSED");
      attempt.state = this.#writer.failure === undefined || neverTaken ? "taken-back" : "unknown";
    }
    return attempt;
  }

  get #writer(): WalWriter {
    if (this.writer === undefined) throw new Error("open first");
    return this.writer;
  }

  /** All that may come back, as the log must number it. */
  possible(before: readonly WalRecord[] = []): WalRecord[] {
    const last = before.at(-1);
    let lsn = last === undefined ? 1 : last.lsn + 1;
    let sequence = last === undefined ? 1 : last.sequence + operationCount(last.payload);
    const records = [...before];
    for (const { payload, state } of this.attempts) {
      if (state === "taken-back") continue;
      records.push({ lsn, sequence, payload });
      lsn += 1;
      sequence += operationCount(payload);
    }
    return records;
  }

  /** How many of `possible` must come back. */
  required(survivor: "strict" | "all", before = 0): number {
    const taken = this.attempts.filter((attempt) => attempt.state !== "taken-back");
    const last = taken.findLastIndex((attempt) => {
      if (attempt.state !== "acknowledged") return false;
      return survivor === "all" || attempt.mode === "strict" || attempt.result?.durable === true;
    });
    return before + last + 1;
  }
}

/** R3: a prefix of what was appended, with all that must be there. @throws an Error that says what is wrong */
export function checkRecovered(
  recovered: readonly Parameters<typeof plain>[0][number][],
  possible: readonly WalRecord[],
  required: number,
  where: string,
): void {
  const found = plain(recovered);
  const expected = plain(possible);
  const wrong = found.findIndex((text, index) => text !== expected[index]);
  if (wrong >= 0) throw new Error(`${where}: record ${wrong} is «${found[wrong]}», not «${expected[wrong]}»`);
  if (found.length < required) {
    throw new Error(
      `${where}: ${found.length} records came back, ${required} were promised; lost «${expected[found.length]}»`,
    );
  }
}
