import { loadPeer, PAGE_ENTRIES } from "../system.js";
import {
  STRING_JSON,
  TUPLE_BYTES,
  type Tuple,
  type TupleRange,
  type TypedStore,
  type TypedSystem,
} from "../typed-system.js";
import { levelMemory } from "./abstract-level-store.js";

interface Iterator {
  nextv(size: number): Promise<[Tuple, unknown][]>;
  close(): Promise<void>;
}

interface TypedLevel {
  open(): Promise<void>;
  put(key: string | Tuple, value: unknown, options: object): Promise<void>;
  batch(operations: readonly object[], options: object): Promise<void>;
  get(key: string | Tuple): Promise<unknown>;
  getSync(key: string | Tuple): unknown;
  iterator(range: object): Iterator;
  close(): Promise<void>;
}

interface Module {
  readonly ClassicLevel: new (dir: string, options: object) => TypedLevel;
}

export const typedLevel: TypedSystem = {
  typings: [STRING_JSON, TUPLE_BYTES],
  encodings: 'keyEncoding "utf8" or charwise; valueEncoding "json" or "view"',
  async open(dir, durability, { key, value }, memory) {
    const { ClassicLevel } = await loadPeer<Module>("classic-level");
    const level = new ClassicLevel(dir, {
      keyEncoding: key === "string" ? "utf8" : await loadCharwise(),
      valueEncoding: value === "json" ? "json" : "view",
      ...levelMemory(memory),
    });
    await level.open();
    return new TypedLevelStore(level, { sync: durability === "durable" });
  },
};

/** Its encoding of tuples, which names itself as abstract-level wants it. */
async function loadCharwise(): Promise<object> {
  return (await loadPeer<{ readonly default: object }>("charwise")).default;
}

class TypedLevelStore implements TypedStore {
  readonly #level: TypedLevel;
  readonly #writeOptions: object;

  constructor(level: TypedLevel, writeOptions: object) {
    this.#level = level;
    this.#writeOptions = writeOptions;
  }

  put(key: string | Tuple, value: unknown): Promise<void> {
    return this.#level.put(key, value, this.#writeOptions);
  }

  batch(entries: Parameters<TypedStore["batch"]>[0]): Promise<void> {
    const puts = entries.map(({ key, value }) => ({ type: "put", key, value }));
    return this.#level.batch(puts, this.#writeOptions);
  }

  getSync(key: string | Tuple): unknown {
    return this.#level.getSync(key);
  }

  get(key: string | Tuple): Promise<unknown> {
    return this.#level.get(key);
  }

  async scan(visit: (key: Tuple, value: unknown) => void, range?: TupleRange): Promise<void> {
    const iterator = this.#level.iterator(range === undefined ? {} : { gte: range.from, lt: range.to });
    try {
      for (;;) {
        const page = await iterator.nextv(PAGE_ENTRIES);
        if (page.length === 0) return;
        for (const [key, value] of page) visit(key, value);
      }
    } finally {
      await iterator.close();
    }
  }

  close(): Promise<void> {
    return this.#level.close();
  }
}
