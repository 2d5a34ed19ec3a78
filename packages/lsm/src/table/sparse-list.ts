const CHUNK_BITS = 8;
const CHUNK = 2 ** CHUNK_BITS;

interface Chunk<T> {
  readonly values: (T | undefined)[];
  count: number;
}

/** Values by number, in arrays of 256 that exist while they hold any: a look-up touches less memory than in a `Map`. */
export class SparseList<T> {
  readonly #chunks: (Chunk<T> | undefined)[] = [];

  get(number: number): T | undefined {
    return this.#chunks[number >>> CHUNK_BITS]?.values[number & (CHUNK - 1)];
  }

  set(number: number, value: T): void {
    const at = number >>> CHUNK_BITS;
    // A hole far behind the end would turn the array into a dictionary.
    while (this.#chunks.length <= at) this.#chunks.push(undefined);
    let chunk = this.#chunks[at];
    if (chunk === undefined) {
      chunk = { values: new Array<T | undefined>(CHUNK).fill(undefined), count: 0 };
      this.#chunks[at] = chunk;
    }
    if (chunk.values[number & (CHUNK - 1)] === undefined) chunk.count++;
    chunk.values[number & (CHUNK - 1)] = value;
  }

  delete(number: number): void {
    const chunk = this.#chunks[number >>> CHUNK_BITS];
    if (chunk?.values[number & (CHUNK - 1)] === undefined) return;
    chunk.values[number & (CHUNK - 1)] = undefined;
    if (--chunk.count === 0) this.#chunks[number >>> CHUNK_BITS] = undefined;
  }

  values(): T[] {
    return this.#chunks.flatMap((chunk) => chunk?.values.filter((value) => value !== undefined) ?? []);
  }
}
