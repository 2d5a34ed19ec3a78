import type { Engine } from "@kaya/engine";
import {
  boundOf,
  type Change,
  type Entry,
  PAGE_ENTRIES,
  type ScanRequest,
  type Store,
  type System,
} from "../system.js";
import { openEngine } from "./kaya-engine.js";
import { typedKaya } from "./typed-kaya.js";

export const kaya: System = {
  name: "kaya",
  kind: "kaya",
  onDisk: true,
  typed: typedKaya,
  setup: {
    durable: 'durability: "strict"; synchronous: putSync',
    relaxed: 'durability: "relaxed"',
    transactions: "transact(fn), with awaited gets; updates by update(key, fn)",
  },
  async open(dir, durability, memory) {
    return new KayaStore(await openEngine(dir, { durability, ...(memory && { memory }) }));
  },
};

export class KayaStore implements Store {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  put(key: Uint8Array, value: Uint8Array): Promise<unknown> {
    return this.#engine.put(key, value);
  }

  putSync(key: Uint8Array, value: Uint8Array): unknown {
    return this.#engine.putSync(key, value);
  }

  batch(entries: readonly Entry[]): Promise<unknown> {
    return this.#engine.batch(entries.map(({ key, value }) => ({ type: "put", key, value })));
  }

  transact(keys: readonly Uint8Array[], change: Change): Promise<unknown> {
    return this.#engine.transact(async (tx) => {
      for (const key of keys) tx.put(key, change(await tx.get(key)));
    });
  }

  update(key: Uint8Array, change: Change): Promise<unknown> {
    return this.#engine.update(key, change);
  }

  async flush(): Promise<void> {
    await this.#engine.flush();
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.#engine.getSync(key);
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#engine.get(key);
  }

  async scan({ by, visit, from, ...range }: ScanRequest): Promise<void> {
    const scan = this.#engine.scan({ ...range, ...boundOf(from, range.reverse) });
    if (by === "entries") {
      for await (const { key, value } of scan) visit(key, value);
      return;
    }
    for await (const page of scan.pages(PAGE_ENTRIES)) {
      for (const { key, value } of page) visit(key, value);
    }
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}
