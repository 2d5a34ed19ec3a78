import assert from "node:assert/strict";
import { KayaError, type KayaErrorCode } from "@kaya/core";
import type { LogEntry, LogHead, LogPage, NodeInfo, SharedLog } from "../../shared-log.js";
import type { SharedLogFixture } from "../log-contract.js";

/** A check of a new log. */
export interface LogCheck {
  readonly name: string;
  run(log: LogUnderTest): Promise<void>;
}

/** The origin of the logs in the checks. */
export const ORIGIN = { logId: "log-of-the-contract", lsn: 0, sequence: 0 };

const PATIENCE_MS = 60_000;
const STEP_MS = 100;

/** A new log with its clients. */
export class LogUnderTest {
  readonly #fixture: SharedLogFixture;
  readonly #clients: SharedLog[] = [];

  constructor(fixture: SharedLogFixture) {
    this.#fixture = fixture;
  }

  client(name = "a"): SharedLog {
    const client = this.#fixture.connect(name);
    this.#clients.push(client);
    return client;
  }

  /** A client that claimed the log. */
  async writer(name = "a"): Promise<{ log: SharedLog; head: LogHead }> {
    const log = this.client(name);
    const claim = { writer: name, address: `${name}:1`, origin: ORIGIN };
    return { log, head: await log.claim(await log.head(), claim) };
  }

  wait(ms: number): Promise<void> {
    return this.#fixture.wait(ms);
  }

  /** Waits until a condition holds. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    for (let waited = 0; !(await holds()); waited += STEP_MS) {
      assert.ok(waited < PATIENCE_MS, `it did not happen: ${what}`);
      await this.wait(STEP_MS);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

/** An entry of `records` records. Its bytes show which entry it is. */
export function entryAfter(head: LogHead, records = 1, size = 100): LogEntry {
  const firstLsn = head.lsn + 1;
  const lastLsn = head.lsn + records;
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = firstLsn * 31 + index;
  return { firstLsn, lastLsn, lastSequence: head.sequence + 2 * records, bytes };
}

/** Appends entries, with these numbers of records. */
export async function appendAll(log: SharedLog, head: LogHead, sizes: readonly number[]): Promise<LogHead> {
  let last = head;
  for (const records of sizes) last = await log.append(last, entryAfter(last, records));
  return last;
}

/** The presence of a node. */
export function node(id: string, lsn = 0): NodeInfo {
  return { id, address: `${id}:1`, role: "follower", isFollowerOnly: false, lsn };
}

/** Asserts that a call rejects with a code. */
export async function rejects(code: KayaErrorCode, call: Promise<unknown>): Promise<KayaError> {
  try {
    await call;
  } catch (error) {
    assert.ok(KayaError.is(error, code), `not ${code}: ${String(error)}`);
    return error;
  }
  throw new assert.AssertionError({ message: `it did not reject with ${code}` });
}

/** Asserts that the call rejects with the reason of its signal. */
export async function rejectsWith(reason: unknown, call: Promise<unknown>): Promise<void> {
  const found = await call.then(
    () => new assert.AssertionError({ message: "it did not reject" }),
    (error: unknown) => error,
  );
  assert.equal(found, reason);
}

/** Asserts that the pages continue each other from LSN `after` on. @returns the LSN of the last record */
export function lastOf(pages: readonly LogPage[], after: number): number {
  let lsn = after;
  for (const { entries } of pages)
    for (const entry of entries) {
      assert.ok(
        entry.firstLsn <= lsn + 1,
        `LSN ${lsn} is followed by an entry that begins with LSN ${entry.firstLsn}`,
      );
      assert.ok(
        entry.lastLsn > lsn,
        `LSN ${lsn} is followed by an entry that ends with LSN ${entry.lastLsn}`,
      );
      lsn = entry.lastLsn;
    }
  return lsn;
}

/** Asserts that the entry that was read equals the one that was written. */
export function sameEntry(found: LogEntry | undefined, written: LogEntry): void {
  assert.ok(found !== undefined, "the entry is absent");
  const { firstLsn, lastLsn, lastSequence } = found;
  const { bytes, ...rest } = written;
  assert.deepEqual({ firstLsn, lastLsn, lastSequence }, rest);
  assert.ok(Buffer.from(bytes).equals(found.bytes), `entry ${lastLsn} has other bytes`);
}
