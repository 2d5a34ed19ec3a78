/** Bugs of values that go to the disk from memory of their own, and of flushes without a merge. @type {import("./mutants.mjs").Mutant[]} */
export const LARGE_VALUE_MUTANTS = [
  {
    name: "a large value is written from the caller's memory",
    rule: "a caller may change its bytes once the call has returned",
    first: "simulation",
    file: "wal/dist/record-buffer.js",
    find: "const value = allocateBytes(length);",
    replace: "const value = payload.value;",
  },
  {
    name: "the memtable keeps values that are only lent to it",
    rule: "a record's bytes are lent, but for a value with `ownsValue`",
    first: "simulation",
    file: "engine/dist/apply.js",
    find: "operation.ownsValue === true",
    replace: "true",
  },
  {
    name: "a large value is written before the rest of its record",
    rule: "R3",
    file: "wal/dist/record-buffer.js",
    find: "parts.push(this.#bytes.subarray(from, at), value);",
    replace: "parts.push(value, this.#bytes.subarray(from, at));",
  },
  {
    name: "the checksum of a large value is that of the rest of its record",
    rule: "R3",
    file: "wal/dist/record-codec.js",
    find: "crc = crc32cRange(apart.value, 0, apart.value.length, crc);",
    replace: ";",
  },
  {
    name: "a record behind a large value is read from where it stands in the file",
    rule: "a write shows what it says",
    first: "simulation",
    file: "wal/dist/record-buffer.js",
    find: "this.#starts?.push(at);",
    replace: "this.#starts?.push(this.length);",
  },
  {
    name: "a flush of a memtable without ranges begins behind its first entry",
    rule: "L1",
    file: "engine/dist/store/flush-source.js",
    find: "this.#isBegun ? this.#cursor.next() : this.#cursor.seekFirst()",
    replace: "(this.#isBegun || this.#cursor.seekFirst()) && this.#cursor.next()",
  },
];
