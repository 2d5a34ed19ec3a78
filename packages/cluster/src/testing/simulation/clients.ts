import { KayaError, type KayaErrorCode, type Lsn } from "@kaya/core";
import type { ClusterEngine } from "../../cluster-engine.js";
import {
  type HistoryOperation,
  HistoryRecorder,
  type KeyedValue,
  type OpenCall,
} from "../linearizability/history.js";
import { type LogModel, textOf } from "./log-model.js";
import type { SimNode } from "./sim-node.js";
import type { ClientStep } from "./steps.js";
import { mustHold } from "./violation.js";

/** A write that rejects with one of these codes is not in the log, and never will be. */
const NOT_DONE: readonly KayaErrorCode[] = [
  "KAYA_NOT_LEADER",
  "KAYA_FENCED",
  "KAYA_NO_MAJORITY",
  "KAYA_DISK_FULL",
];
/** A write that rejects with one of these codes may be in the shared log: C4, C5, or the node was closed. */
const OUTCOME_UNKNOWN: readonly KayaErrorCode[] = [
  "KAYA_IN_DOUBT",
  "KAYA_CLOSED",
  "KAYA_WRITER_FAILED",
  "KAYA_IO",
  "KAYA_FSYNC_FAILED",
];

/** A write, and the answer that its client got. */
export interface AttemptedWrite {
  readonly process: string;
  readonly name: string;
  readonly writes: readonly KeyedValue[];
  answer: "none" | "acknowledged" | "refused" | "conflict" | "unknown";
  code: string;
}

/** The clients of all nodes. They make calls, record the answers, and check what can be checked immediately. */
export class Clients {
  readonly recorder = new HistoryRecorder();
  readonly writes: AttemptedWrite[] = [];
  readonly counts = { acknowledged: 0, inDoubt: 0, refused: 0, conflicts: 0, reads: 0, localReads: 0 };
  readonly #model: LogModel;
  readonly #nodes: readonly SimNode[];
  /** The pending calls, each with its node. */
  readonly #work = new Map<Promise<void>, { readonly node: SimNode; readonly name: string }>();
  readonly #calls = new Map<SimNode, Set<OpenCall>>();
  #values = 0;
  #processes = 0;
  /** The first broken promise that an answer showed. */
  failure: unknown;

  constructor(model: LogModel, nodes: readonly SimNode[]) {
    this.#model = model;
    this.#nodes = nodes;
    for (const node of nodes) {
      this.#calls.set(node, new Set());
      node.onDeath = () => this.#died(node);
    }
  }

  /** The names of the pending calls. */
  get waiting(): string {
    return [...this.#work.values()].map(({ name }) => name).join(", ");
  }

  /** The pending calls. */
  get underWay(): readonly Promise<void>[] {
    return [...this.#work.keys()];
  }

  /** Starts the call of a client. It does not wait for the answer. */
  start(step: ClientStep): void {
    const node = this.#nodeOf(step);
    const db = node?.db;
    if (node === undefined || db === undefined) return;
    switch (step.step) {
      case "put":
      case "delete":
        this.#put(node, db, step.step, keyName(step.key));
        return;
      case "batch":
      case "transact":
        this.#multi(node, db, step.step, keyName(step.condition), step.keys.map(keyName));
        return;
      case "get":
        this.#read(node, "get", async () => {
          const value = await db.get(keyName(step.key), { consistency: "linearizable" });
          return [{ key: keyName(step.key), value: textOrNone(value) }];
        });
        return;
      case "snapshot":
        this.#read(node, "snapshot", () => readTogether(db, [...new Set(step.keys)].map(keyName)));
        return;
      case "local-get":
        this.#localGet(node, db, keyName(step.key));
        return;
    }
  }

  /** Writes once with a writer that must work. @returns the LSN of the write */
  async lastWrite(node: SimNode, db: ClusterEngine): Promise<Lsn> {
    const writes = [{ key: keyName(0), value: this.#newValue() }];
    let lsn = 0;
    await this.#write(node, "put", [], writes, async () => {
      const result = await db.put(keyName(0), writes[0]?.value ?? "");
      lsn = result.lsn;
      return { lsn };
    });
    return lsn;
  }

  /** The recorded history, after the last call. */
  history(): readonly HistoryOperation[] {
    return this.recorder.end();
  }

  #nodeOf(step: ClientStep): SimNode | undefined {
    const isWrite = "toWriter" in step && step.toWriter;
    const writer = isWrite ? this.#nodes.find(({ db }) => db?.role === "writer") : undefined;
    return writer ?? this.#nodes[step.node % this.#nodes.length];
  }

  #put(node: SimNode, db: ClusterEngine, name: "put" | "delete", key: string): void {
    const value = name === "put" ? this.#newValue() : undefined;
    void this.#write(node, name, [], [{ key, value }], () =>
      value === undefined ? db.delete(key) : db.put(key, value),
    );
  }

  #multi(
    node: SimNode,
    db: ClusterEngine,
    name: "batch" | "transact",
    condition: string,
    keys: readonly string[],
  ): void {
    const value = this.#newValue();
    const writes = keys.map((key) => ({ key, value }));
    if (name === "transact") {
      const seen: KeyedValue[] = [];
      void this.#write(node, name, seen, writes, async () => {
        await db.transact(async (tx) => {
          seen.splice(0, 1, { key: condition, value: textOrNone(await tx.get(condition)) });
          for (const key of keys) await tx.put(key, value);
        });
        return {};
      });
      return;
    }
    void this.#track(node, `${name} on ${node.client}`, async () => {
      const entry = await db.getEntry(condition).catch(() => undefined); // the node may be closing
      if (entry === undefined) return;
      const expects = [{ key: condition, value: textOrNone(entry.value) }];
      const operations = keys.map((key) => ({ type: "put", key, value }) as const);
      await this.#write(node, name, expects, writes, () => db.batch(operations, { conditions: [entry] }));
    });
  }

  #write(
    node: SimNode,
    name: string,
    expects: readonly KeyedValue[],
    writes: readonly KeyedValue[],
    call: () => Promise<{ readonly lsn?: Lsn }>,
  ): Promise<void> {
    const process = `${node.client}/${++this.#processes}`;
    const write: AttemptedWrite = { process, name, writes, answer: "none", code: "" };
    this.writes.push(write);
    return this.#track(node, `${name} on ${node.client}`, async (isAlive) => {
      const open = this.#opened(node, this.recorder.call({ process: write.process, name, expects, writes }));
      try {
        const { lsn } = await call();
        if (!isAlive()) return;
        const found = this.#mustBeThere(write, lsn);
        write.answer = "acknowledged";
        this.counts.acknowledged++;
        open.ok({ expects, hint: found });
      } catch (error) {
        if (isAlive()) this.#refused(write, open, error);
      }
    });
  }

  /** C3: an acknowledged write must be in the shared log exactly once, at its LSN. */
  #mustBeThere(write: AttemptedWrite, lsn: Lsn | undefined): Lsn {
    const unique = write.writes.find(({ value }) => value !== undefined);
    const found = unique === undefined ? undefined : this.#model.recordsWith(unique);
    const at = lsn ?? found?.[0] ?? 0;
    const isRight = found === undefined || (found.length === 1 && found[0] === at);
    const text = () =>
      `${describeWrite(write)} was acknowledged as LSN ${at}, but the shared log has it at ${found?.join() || "no LSN"}`;
    mustHold(isRight, "acknowledged-lost", text);
    const record = this.#model.records[at - 1];
    mustHold(record !== undefined && isSame(record.writes, write.writes), "acknowledged-lost", () => {
      return `${describeWrite(write)} was acknowledged as LSN ${at}, where the shared log has ${JSON.stringify(record?.writes)}`;
    });
    return at;
  }

  #refused(write: AttemptedWrite, open: OpenCall, error: unknown): void {
    const code = KayaError.is(error) ? error.code : undefined;
    write.code = code ?? "";
    if (code === "KAYA_CONFLICT") {
      write.answer = "conflict";
      this.counts.conflicts++;
      // The values that a transaction read in its last attempt are not known.
      if (write.name === "batch") open.conflict();
      else open.failed();
      return;
    }
    if (code !== undefined && NOT_DONE.includes(code)) {
      write.answer = "refused";
      this.counts.refused++;
      open.failed();
      return;
    }
    if (code === undefined || !OUTCOME_UNKNOWN.includes(code)) throw error;
    write.answer = "unknown";
    this.counts.inDoubt++;
    open.unknown();
  }

  #read(node: SimNode, name: string, read: () => Promise<readonly KeyedValue[]>): void {
    void this.#track(node, `${name} on ${node.client}`, async (isAlive) => {
      const open = this.#opened(
        node,
        this.recorder.call({ process: `${node.client}/${++this.#processes}`, name }),
      );
      try {
        const expects = await read();
        if (!isAlive()) return;
        this.counts.reads++;
        open.ok({ expects });
      } catch (error) {
        open.failed();
        if (
          !isAlive() ||
          isKnown(error, ["KAYA_NO_MAJORITY", "KAYA_CLOSED", "KAYA_WRITER_FAILED", "KAYA_IO"])
        )
          return;
        throw error;
      }
    });
  }

  /** Reads a key from one node. The value must be one that the key had between the LSN at the call and the LSN at the answer. */
  #localGet(node: SimNode, db: ClusterEngine, key: string): void {
    void this.#track(node, `local get on ${node.client}`, async (isAlive) => {
      const before = node.lsnOf(db);
      const value = await db.get(key).then(textOrNone, (error: unknown) => {
        if (!isAlive() || isKnown(error, ["KAYA_CLOSED", "KAYA_IO"])) return "unread" as const;
        throw error;
      });
      if (value === "unread" || !isAlive()) return;
      const after = node.lsnOf(db);
      this.counts.localReads++;
      mustHold(this.#model.valuesBetween(key, before, after).includes(value), "not-a-prefix", () => {
        return `${node.id} read ${key}=${value} between LSN ${before} and ${after}, where the shared log has ${this.#model.valuesBetween(key, before, after)}`;
      });
    });
  }

  #track(node: SimNode, name: string, run: (isAlive: () => boolean) => Promise<void>): Promise<void> {
    const { life } = node;
    const work = run(() => node.life === life).catch((error: unknown) => {
      this.failure ??= error;
    });
    this.#work.set(work, { node, name });
    void work.then(() => this.#work.delete(work));
    return work;
  }

  #opened(node: SimNode, call: OpenCall): OpenCall {
    this.#calls.get(node)?.add(call);
    return call;
  }

  /** The calls of a dead process never get an answer. */
  #died(node: SimNode): void {
    for (const call of this.#calls.get(node) ?? []) call.unknown();
    this.#calls.get(node)?.clear();
    for (const [work, at] of this.#work) if (at.node === node) this.#work.delete(work);
  }

  #newValue(): string {
    // The values have different lengths, so that memtables and entries fill at different moments.
    return `v${++this.#values}${".".repeat((this.#values * 37) % 180)}`;
  }
}

export function keyName(key: number): string {
  return `k${key}`;
}

async function readTogether(db: ClusterEngine, keys: readonly string[]): Promise<KeyedValue[]> {
  await db.catchUp();
  const snapshot = db.snapshot();
  try {
    const values: KeyedValue[] = [];
    for (const key of keys) values.push({ key, value: textOrNone(await snapshot.get(key)) });
    return values;
  } finally {
    snapshot.close();
  }
}

function textOrNone(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : textOf(bytes);
}

function isKnown(error: unknown, codes: readonly KayaErrorCode[]): boolean {
  return KayaError.is(error) && codes.includes(error.code);
}

/** Compares two lists of keys and values. If a key comes twice in a list, the last value counts. */
export function isSame(some: readonly KeyedValue[], others: readonly KeyedValue[]): boolean {
  const [a, b] = [some, others].map((all) => new Map(all.map(({ key, value }) => [key, value])));
  return (
    a !== undefined &&
    b !== undefined &&
    a.size === b.size &&
    [...a].every(([key, value]) => b.has(key) && b.get(key) === value)
  );
}

export function describeWrite({ process, name, writes }: AttemptedWrite): string {
  return `${process} ${name} ${writes.map(({ key, value }) => `${key}=${(value ?? "(absent)").slice(0, 12)}`).join(", ")}`;
}
