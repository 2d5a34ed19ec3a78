import { nameOfBytes } from "../memtable/bytes.js";
import type { IndexProblem } from "./verify-entries.js";

/** More are counted, and not kept. */
const MOST = 100;

/** Problems of indexes, each key once. */
export class Problems {
  readonly first: IndexProblem[] = [];
  readonly #keys = new Set<string>();

  get count(): number {
    return this.#keys.size;
  }

  add(kind: IndexProblem["kind"], key: Uint8Array, message: string): void {
    const name = `${kind} ${nameOfBytes(key)}`;
    if (this.#keys.has(name)) return;
    this.#keys.add(name);
    if (this.first.length < MOST) this.first.push({ kind, key: new Uint8Array(key), message });
  }
}
