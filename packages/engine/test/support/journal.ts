import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { recoverWal, type WalPayload } from "@kaya/wal";
import type { DeleteOperation, DurabilityMode, Engine, PutOperation } from "../../src/index.js";

/**
 * - `waiting`: not answered. - `strict`, `relaxed`: acknowledged as such. - `refused`: rejected, and taken back: it must
 *   never be seen again. - `uncertain`: rejected by a failed fsync: it may be in the log or not until the next recovery.
 * - `kept`: a recovery brought it back, so it must stay. - `gone`: a recovery did not, so it must not come back.
 */
type Fate = "waiting" | "strict" | "relaxed" | "refused" | "uncertain" | "kept" | "gone";

interface Attempt {
  readonly payload: string;
  readonly changes: readonly Change[];
  fate: Fate;
}

export type Change = readonly [key: string, value?: string];

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** All that was ever attempted on one disk, and what may therefore be found on it: acknowledged ⊆ found ⊆ attempted. */
export class Journal {
  readonly #attempts: Attempt[] = [];
  #unique = 0;

  get acknowledged(): number {
    return this.#attempts.filter(({ fate }) => fate === "strict" || fate === "kept").length;
  }

  /** Writes one record that is like no other, and notes its fate. Gives the error, where it is rejected. */
  async write(engine: Engine, changes: readonly Change[], durability: DurabilityMode): Promise<unknown> {
    const id = ++this.#unique;
    const operations: (PutOperation | DeleteOperation)[] = changes.map(([key, value]) =>
      value === undefined ? { type: "delete", key } : { type: "put", key, value: `${id}:${value}` },
    );
    // A delete has nothing that tells it from another one: the key that only this record writes does.
    operations.push({ type: "put", key: "last", value: `${id}` });
    const written = operations.map(
      ({ key, ...rest }) => [key, "value" in rest ? rest.value : undefined] as Change,
    );
    const attempt: Attempt = { payload: JSON.stringify(written), changes: written, fate: "waiting" };
    this.#attempts.push(attempt);
    try {
      const { durable } = await engine.batch(operations, { durability });
      attempt.fate = durable ? "strict" : "relaxed";
      return undefined;
    } catch (error) {
      // Of what waited when the engine failed nobody can say whether it is on the disk.
      const isUncertain = engine.failure !== undefined && !KayaError.is(error, "KAYA_WRITER_FAILED");
      attempt.fate = isUncertain ? "uncertain" : "refused";
      return error;
    }
  }

  /** After `sync` resolved. */
  synced(): void {
    for (const attempt of this.#attempts) if (attempt.fate === "relaxed") attempt.fate = "strict";
  }

  /**
   * Looks at what a recovery found. Says what is wrong, or "".
   * @param relaxedStay nothing took the page cache away, so that relaxed writes must be there too
   */
  async check(engine: Engine, disk: Disk, relaxedStay: boolean): Promise<string> {
    const { records } = await recoverWal({}, disk, { dryRun: true });
    const found = new Set<Attempt>();
    let position = -1;
    for (const { record } of records) {
      const payload = textOf(record.payload);
      const at = this.#attempts.findIndex((attempt) => attempt.payload === payload);
      const attempt = this.#attempts[at];
      if (attempt === undefined) return `LSN ${record.lsn} was never attempted: ${payload}`;
      if (at <= position) return `LSN ${record.lsn} is out of order: ${payload}`;
      if (attempt.fate === "refused") return `LSN ${record.lsn} was refused and came back: ${payload}`;
      if (attempt.fate === "gone") return `LSN ${record.lsn} was gone and came back: ${payload}`;
      position = at;
      found.add(attempt);
    }
    const hole = this.#hole(found, relaxedStay);
    if (hole !== "") return hole;
    const difference = await this.#compare(engine, found);
    if (difference !== "") return difference;
    for (const attempt of this.#attempts) {
      if (attempt.fate !== "refused") attempt.fate = found.has(attempt) ? "kept" : "gone";
    }
    return "";
  }

  #hole(found: ReadonlySet<Attempt>, relaxedStay: boolean): string {
    let missing: Attempt | undefined;
    for (const [i, attempt] of this.#attempts.entries()) {
      if (attempt.fate === "refused" || attempt.fate === "gone") continue;
      if (found.has(attempt)) {
        if (missing !== undefined)
          return `attempt ${i} (${attempt.payload}) stands behind a hole: ${missing.payload}`;
        continue;
      }
      missing ??= attempt;
      const mustStay = ["strict", "kept", ...(relaxedStay ? ["relaxed"] : [])];
      if (mustStay.includes(attempt.fate)) {
        return `attempt ${i} (${attempt.payload}, ${attempt.fate}) is lost; found ${found.size} of ${this.#attempts.length}`;
      }
    }
    return "";
  }

  async #compare(engine: Engine, found: ReadonlySet<Attempt>): Promise<string> {
    const expected = new Map<string, string>();
    for (const attempt of this.#attempts) {
      if (!found.has(attempt)) continue;
      for (const [key, value] of attempt.changes) {
        if (value === undefined) expected.delete(key);
        else expected.set(key, value);
      }
    }
    const actual: [string, string][] = [];
    for await (const { key, value } of engine.scan()) actual.push([latin1(key), latin1(value)]);
    const sorted = [...expected].sort(([a], [b]) => (a < b ? -1 : 1));
    const [is, should] = [JSON.stringify(actual), JSON.stringify(sorted)];
    return is === should ? "" : `the engine holds ${is} and not ${should}`;
  }

  /** What a reader must see while the engine is open: everything that was acknowledged, nothing else. */
  async checkReads(engine: Engine): Promise<string> {
    const visible = new Set(
      this.#attempts.filter(({ fate }) => ["strict", "relaxed", "kept"].includes(fate)),
    );
    return this.#compare(engine, visible);
  }
}

function textOf(payload: WalPayload): string {
  if (payload.type !== "batch") return payload.type;
  return JSON.stringify(
    [...payload.operations].map((o) =>
      o.type === "deleteRange" ? o.type : [latin1(o.key), o.type === "put" ? latin1(o.value) : undefined],
    ),
  );
}
