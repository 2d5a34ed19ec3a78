import { describe } from "@kaya/core";
import { showKey } from "../conditions.js";
import type { Engine } from "../engine.js";
import { invalid } from "../input.js";
import type { Reader } from "../reader.js";
import { OWN, Transaction } from "../transaction/transaction.js";
import type { ViewKeys } from "../view/view-keys.js";
import type { ViewValues } from "../view/view-values.js";
import { isAlike } from "./declared-prefix.js";
import { decodeDefinition, definitionKey } from "./definition.js";
import { type DeclaredIndex, readIndexes } from "./index-options.js";
import { type IndexReader, ManyIndex, notThere, type OpenIndex, UniqueIndex } from "./index-reader.js";
import { INDEXES, type Indexes } from "./indexes.js";
import { OwnRows } from "./own-rows.js";
import { type IndexVerification, verifyRows } from "./verify-rows.js";

interface Rows<K, V> {
  readonly keys: ViewKeys<K, unknown>;
  readonly values: ViewValues<V, never>;
}

/** The indexes of one view. */
export class ViewIndexes<K, V> {
  readonly #engine: Engine;
  readonly #rows: Rows<K, V>;
  readonly #declared: ReadonlyMap<string, DeclaredIndex>;
  readonly #indexes: Indexes;

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  constructor(engine: Engine, given: unknown, rows: Rows<K, V>) {
    this.#engine = engine;
    this.#rows = rows;
    const declared = readIndexes(given, rows as unknown as Rows<unknown, unknown>);
    this.#declared = new Map(declared.map((index) => [index.name, index]));
    this.#indexes = engine[INDEXES]();
    this.#indexes.declare(rows.keys.prefix, declared);
  }

  /** An index as it is in what a reader reads. @throws KayaError KAYA_INVALID_ARGUMENT */
  at(reader: Reader, name: string): IndexReader<K, V, unknown, unknown> {
    const declared = this.#declared.get(name);
    if (declared === undefined) throw this.#unknown(name);
    const open = reader === this.#engine ? () => this.#now(declared) : () => this.#then(reader, declared);
    const source = { declared, rows: this.#rows, open };
    return declared.unique ? new UniqueIndex(source) : new ManyIndex(source);
  }

  /** See `Indexes.ready`. */
  ready(): Promise<void> {
    return this.#indexes.ready(this.#rows.keys.prefix);
  }

  /** See `Indexes.drop`. */
  drop(name: string): Promise<boolean> {
    return this.#indexes.drop(this.#rows.keys.prefix, name);
  }

  /** See `verifyRows`. */
  async verify(): Promise<IndexVerification> {
    const { prefix } = this.#rows.keys;
    await this.ready();
    const snapshot = this.#engine.snapshot();
    try {
      const checked = [...this.#declared.values()].flatMap((declared) => {
        const definition = this.#indexes.definition(prefix, declared.name);
        return definition === undefined ? [] : [{ declared, definition }];
      });
      return await verifyRows(snapshot, prefix, checked);
    } finally {
      snapshot.close();
    }
  }

  async #now({ name }: DeclaredIndex): Promise<OpenIndex> {
    const { prefix } = this.#rows.keys;
    for (;;) {
      await this.#indexes.ready(prefix, name);
      const definition = this.#indexes.definition(prefix, name);
      if (definition === undefined) continue; // all was cleared meanwhile
      const snapshot = this.#engine.snapshot();
      return { reader: snapshot, own: undefined, id: definition.id, release: () => snapshot.close() };
    }
  }

  async #then(reader: Reader, declared: DeclaredIndex): Promise<OpenIndex> {
    const { prefix } = this.#rows.keys;
    const key = definitionKey(prefix, declared.name);
    const value = await reader.get(key);
    const found = value === undefined ? undefined : decodeDefinition(key, value);
    if (found?.state !== "ready" || !isAlike(found, declared))
      throw notThere(`the index ${describe(declared.name)} of ${showKey(prefix)}`);
    const rows = reader instanceof Transaction ? new OwnRows(prefix, reader[OWN]) : undefined;
    const own = rows?.isEmpty === false ? rows : undefined;
    return { reader, own, id: found.id, release: () => undefined };
  }

  #unknown(name: string) {
    const names = [...this.#declared.keys()].map((each) => describe(each)).join(", ");
    return invalid(
      `${this.#rows.keys.view} declares no index ${describe(name)}${names === "" ? "" : ` (declared: ${names})`}`,
    );
  }
}
