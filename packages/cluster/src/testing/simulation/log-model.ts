import type { Lsn } from "@kaya/core";
import { decodeRecord, operationsOf } from "@kaya/wal";
import type { LogEntry } from "../../shared-log.js";
import type { KeyedValue, RegisterValue } from "../linearizability/history.js";
import { mustHold } from "./violation.js";

/** One record of the shared log. */
export interface ModelRecord {
  readonly lsn: Lsn;
  readonly sequence: number;
  readonly writes: readonly KeyedValue[];
}

/** The model: the content of the store after each LSN of the shared log. Each node must have a prefix of this history. */
export class LogModel {
  readonly #history: () => readonly LogEntry[];
  readonly #records: ModelRecord[] = [];
  readonly #versions = new Map<string, { readonly lsn: Lsn; readonly value: RegisterValue }[]>();
  readonly #recordOf = new Map<string, Lsn[]>();
  #entries = 0;

  /** @param history all entries that were ever appended */
  constructor(history: () => readonly LogEntry[]) {
    this.#history = history;
  }

  /** All records so far; the first one has LSN 1. */
  get records(): readonly ModelRecord[] {
    this.#update();
    return this.#records;
  }

  /** The value of a key after a record. */
  valueAt(key: string, lsn: Lsn): RegisterValue {
    this.#update();
    return this.#versions.get(key)?.findLast((version) => version.lsn <= lsn)?.value;
  }

  /** All values that a key has from one LSN to another. */
  valuesBetween(key: string, from: Lsn, to: Lsn): RegisterValue[] {
    const later = (this.#versions.get(key) ?? []).filter(({ lsn }) => lsn > from && lsn <= to);
    return [this.valueAt(key, from), ...later.map(({ value }) => value)];
  }

  /** All keys that have a value after a record, in order, with their values. */
  stateAt(lsn: Lsn): Map<string, string> {
    this.#update();
    const state = new Map<string, string>();
    for (const key of [...this.#versions.keys()].sort()) {
      const value = this.valueAt(key, lsn);
      if (value !== undefined) state.set(key, value);
    }
    return state;
  }

  /** The records that wrote this value to this key. */
  recordsWith({ key, value }: KeyedValue): readonly Lsn[] {
    this.#update();
    return this.#recordOf.get(nameOf(key, value)) ?? [];
  }

  #update(): void {
    const history = this.#history();
    while (this.#entries < history.length) this.#add(history[this.#entries++] as LogEntry);
  }

  #add({ firstLsn, lastLsn, bytes }: LogEntry): void {
    mustHold(firstLsn === this.#records.length + 1, "never-attempted", () => {
      return `an entry of the shared log begins with LSN ${firstLsn} after LSN ${this.#records.length}`;
    });
    for (let offset = 0; offset < bytes.length; ) {
      const decoded = decodeRecord(bytes.subarray(offset), offset);
      mustHold(
        decoded.status === "complete",
        "never-attempted",
        () => `LSN ${firstLsn}: there is no record at offset ${offset}`,
      );
      const { lsn, sequence, payload } = decoded.record;
      const writes = [...operationsOf(payload)].map((operation) => {
        mustHold(operation.type !== "deleteRange", "never-attempted", () => `LSN ${lsn} clears a range`);
        const value = operation.type === "put" ? textOf(operation.value) : undefined;
        return { key: textOf(operation.key), value };
      });
      mustHold(
        lsn === this.#records.length + 1,
        "never-attempted",
        () => `LSN ${lsn} comes behind ${this.#records.length}`,
      );
      this.#records.push({ lsn, sequence, writes });
      for (const write of writes) this.#write(lsn, write);
      offset += decoded.bytesRead;
    }
    mustHold(
      lastLsn === this.#records.length,
      "never-attempted",
      () => `an entry named LSN ${lastLsn} ends with LSN ${this.#records.length}`,
    );
  }

  #write(lsn: Lsn, { key, value }: KeyedValue): void {
    const versions = this.#versions.get(key) ?? [];
    this.#versions.set(key, versions);
    versions.push({ lsn, value });
    const name = nameOf(key, value);
    const found = this.#recordOf.get(name) ?? [];
    if (found.at(-1) !== lsn) this.#recordOf.set(name, [...found, lsn]); // a batch may write a key twice
  }
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}

function nameOf(key: string, value: RegisterValue): string {
  return JSON.stringify([key, value]);
}
