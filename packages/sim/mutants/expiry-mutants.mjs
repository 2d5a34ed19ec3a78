/**
 * Bugs in what expires.
 *
 * @type {import("./mutants.mjs").Mutant[]}
 */
export const EXPIRY_MUTANTS = [
  {
    name: "a scan shows what has expired",
    rule: "expiry",
    file: "engine/dist/store/store-snapshot.js",
    find: "now: this.now(),",
    replace: "now: 0,",
  },
  {
    name: "a read of the memtable shows what has expired",
    rule: "expiry",
    file: "engine/dist/memtable/state-reader.js",
    find: "expiresAtOf(this.#records, address) > now();",
    replace: "true;",
  },
  {
    name: "a read of a table shows what has expired",
    rule: "expiry",
    file: "engine/dist/store/key-state.js",
    find: "found.kind === EXPIRING && found.expiresAt <= now()",
    replace: "false",
  },
  {
    name: "a value is there in the moment in which it expires",
    rule: "expiry",
    file: "engine/dist/store/key-state.js",
    find: "state.expiresAt > now()",
    replace: "state.expiresAt >= now()",
  },
  {
    name: "a condition takes what has expired for there",
    rule: "conditions",
    file: "engine/dist/conditions.js",
    find: "aliveAt(state, now).sequence",
    replace: "state.sequence",
  },
  {
    name: "a condition knows no expiry of a write under way",
    rule: "conditions",
    file: "engine/dist/conditions.js",
    find: 'type === "put" ? { sequence, expiresAt } : ABSENT',
    replace: 'type === "put" ? { sequence, expiresAt: undefined } : ABSENT',
  },
  {
    name: "a clear with a limit counts what expires under way",
    rule: "clear",
    file: "engine/dist/clear.js",
    find: "memtable.put(operation.key, NO_BYTES, at, false, operation.expiresAt);",
    replace: "memtable.put(operation.key, NO_BYTES, at);",
  },
  {
    name: "a flush forgets when a value expires",
    rule: "L2",
    file: "lsm/dist/tree/write-flush.js",
    find: "const { key, sequence } = entry;",
    replace:
      "const { key, sequence } = entry; if (entry.kind === EXPIRING && entry.expiresAt > now) return output === undefined || bytes >= STEP_BYTES ? addAfterRest(key, 0, sequence, entry.value, 0) : output.add(key, 0, sequence, entry.value, 0);",
  },
  {
    name: "the log forgets when a value of a batch expires",
    rule: "expiry",
    file: "wal/dist/payload-codec.js",
    find: "target[position] = expiresAt === undefined ? BATCH_OP[operation.type] : BATCH_OP.putExpiring;",
    replace: "target[position] = BATCH_OP[operation.type];",
  },
  {
    name: "a replay forgets when a value expires",
    rule: "expiry",
    file: "engine/dist/apply.js",
    find: "operation.ownsValue === true, operation.expiresAt);",
    replace: "operation.ownsValue === true, this.#lsn % 3 === 0 ? undefined : operation.expiresAt);",
  },
  {
    name: "a put without an expiry keeps the one that was there",
    rule: "expiry",
    file: "engine/dist/memtable/record.js",
    find: "words[at + KIND] = kind;\n    words[at + VALUE_LENGTH_WORD] = value.length;\n    const bytes = itemAt(arena.bytes, chunkOf(address));\n    const start = byteOffset(address) + RECORD_HEADER_BYTES + wordAt(words, at + KEY_LENGTH_WORD);\n    bytes.set",
    replace:
      "if (kind !== PUT || kindOf(arena, address) !== EXPIRING) words[at + KIND] = kind;\n    words[at + VALUE_LENGTH_WORD] = value.length;\n    const bytes = itemAt(arena.bytes, chunkOf(address));\n    const start = byteOffset(address) + RECORD_HEADER_BYTES + wordAt(words, at + KEY_LENGTH_WORD);\n    bytes.set",
  },
  {
    name: "a snapshot goes on with the clock",
    rule: "snapshots",
    file: "engine/dist/apply.js",
    find: "const now = () => time;",
    replace: "const now = this.store.now;",
  },
  {
    name: "the clock of an engine goes back with that of the wall",
    rule: "expiry",
    file: "engine/dist/clock.js",
    find: "Math.max(this.#ahead, this.#source.wall() - elapsed)",
    replace: "this.#source.wall() - elapsed",
  },
  {
    name: "the clock of an engine stands while that of the wall is behind it",
    rule: "expiry",
    file: "engine/dist/clock.js",
    find: "return Math.floor(elapsed + this.#ahead);",
    replace: "return (this.latest = Math.max(this.latest ?? 0, this.#source.wall()));",
  },
  {
    name: "compaction brings back what a value that expired had replaced",
    rule: "M9",
    file: "lsm/dist/compaction/merge-tables.js",
    find: "if (!isGone || older.mayHave(key)) {",
    replace: "if (!isGone || (kind === TOMBSTONE && older.mayHave(key))) {",
  },
  {
    name: "compaction takes away what is still to expire",
    rule: "M9",
    file: "lsm/dist/compaction/merge-tables.js",
    find: "(kind === EXPIRING && expiresAt <= now)",
    replace: "(kind === EXPIRING && expiresAt <= now + 100)",
  },
  {
    name: "a table goes of which not everything has expired",
    rule: "M9",
    file: "lsm/dist/compaction/expired.js",
    find: "expiry.latest <= now",
    replace: "expiry.earliest <= now",
  },
  {
    name: "the change feed does not tell when a value expires",
    rule: "F1",
    file: "engine/dist/changes/changes.js",
    find: "expiresAt === undefined ? put : { ...put, expiresAt }",
    replace: "put",
  },
];
