import type { Engine, View } from "@kaya/engine";
import { PAGE_ENTRIES } from "../system.js";
import {
  STRING_JSON,
  STRING_MSGPACK,
  TUPLE_BYTES,
  type Tuple,
  type TupleRange,
  type TypedStore,
  type TypedSystem,
} from "../typed-system.js";
import { openEngine } from "./kaya-engine.js";

export const typedKaya: TypedSystem = {
  typings: [STRING_JSON, STRING_MSGPACK, TUPLE_BYTES],
  encodings: 'views with key "utf8" or "tuple", value "json", "msgpack" or "bytes"',
  async open(dir, durability, { key, value }, memory) {
    const engine = await openEngine(dir, { durability, ...(memory && { memory }) });
    return key === "string"
      ? new TypedKayaStore(engine, engine.view({ key: "utf8", value }))
      : new TypedKayaStore(engine, engine.view({ key: "tuple", value }));
  },
};

class TypedKayaStore implements TypedStore {
  readonly #engine: Engine;
  readonly #view: View<unknown, unknown, unknown, unknown>;

  constructor(engine: Engine, view: unknown) {
    this.#engine = engine;
    this.#view = view as View<unknown, unknown, unknown, unknown>; // keys and values come from the bench, as the typing says
  }

  put(key: string | Tuple, value: unknown): Promise<unknown> {
    return this.#view.put(key, value);
  }

  batch(entries: Parameters<TypedStore["batch"]>[0]): Promise<unknown> {
    return this.#view.batch(entries.map(({ key, value }) => ({ type: "put", key, value })));
  }

  getSync(key: string | Tuple): unknown {
    return this.#view.getSync(key);
  }

  get(key: string | Tuple): Promise<unknown> {
    return this.#view.get(key);
  }

  async scan(visit: (key: Tuple, value: unknown) => void, range?: TupleRange): Promise<void> {
    const bounds = range === undefined ? {} : { gte: range.from, lt: range.to };
    for await (const page of this.#view.scan(bounds).pages(PAGE_ENTRIES)) {
      for (const { key, value } of page) visit(key as Tuple, value);
    }
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}
