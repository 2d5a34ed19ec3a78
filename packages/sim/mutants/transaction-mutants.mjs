/** Bugs of transactions and updates. @type {import("./mutants.mjs").Mutant[]} */
export const TRANSACTION_MUTANTS = [
  {
    name: "a phantom: the ranges that a transaction read are no conditions",
    file: "engine/dist/transaction/validate.js",
    find: "const changed = this.#changedIn(read);",
    replace: "const changed = undefined;",
  },
  {
    name: "a lost update: the keys that a transaction read are no conditions",
    file: "engine/dist/transaction/validate.js",
    find: "const lost = this.#lostKey(key);",
    replace: "const lost = undefined;",
  },
  {
    name: "a write skew: only what a transaction writes is a condition",
    file: "engine/dist/transaction/transactions.js",
    find: "const validation = new Validation(applied, wal, source);",
    replace: `const written = own.memtable(source.basis.sequence);
        const keys = [...source.keys].filter((key) => written.stateOf(key) !== undefined);
        const validation = new Validation(applied, wal, { keys, ranges: [], basis: source.basis, turns: source.turns });`,
  },
  {
    name: "a stale read: a transaction that is called again does not see what is queued, and counts it as seen",
    file: "engine/dist/transaction/transactions.js",
    find: "queued ?? applied.position, queued);",
    replace: "queued ?? applied.position);",
  },
  {
    name: "a write to a key that is queued is no conflict",
    file: "engine/dist/transaction/validate.js",
    find: "this.#wal.pendingChange(key)?.sequence ?? 0",
    replace: "0",
  },
  {
    name: "a write into a range that is queued is no conflict",
    file: "engine/dist/transaction/validate.js",
    find: "const queued = this.#queuedInRanges();",
    replace: "const queued = undefined;",
  },
  {
    name: "what was flushed since a transaction began is not looked at",
    file: "engine/dist/transaction/validate.js",
    find: "return this.#applied.store.tables.covered.sequence <= this.#validTo;",
    replace: "return true;",
  },
  {
    name: "a range that is deleted is no change of it",
    file: "engine/dist/transaction/changed.js",
    find: "if (list.newest > above) {",
    replace: "if (list.newest > above && above < 0) {",
  },
  {
    name: "a range that was left early counts without its last key",
    file: "engine/dist/transaction/tracked-cursor.js",
    find: "earlier(behind(key), whole.end)",
    replace: "earlier(key, whole.end)",
  },
  {
    name: "a range that is read backward counts as if it were read forward",
    file: "engine/dist/transaction/tracked-cursor.js",
    find: "this.#isReverse = range.reverse ?? false;",
    replace: "this.#isReverse = false;",
  },
  {
    name: "what a transaction deleted itself it reads all the same",
    file: "engine/dist/transaction/transaction-source.js",
    find: `if (own !== undefined)
            return own ?? undefined;
        if (this.#noteState(key) !== undefined)
            return this.basis.getSync(key, now); // a memtable has it`,
    replace: `if (own)
            return own;
        if (this.#noteState(key) !== undefined)
            return this.basis.getSync(key, now);`,
  },
  {
    name: "a range that is deleted by a write under way, or by the transaction itself, hides nothing",
    file: "engine/dist/transaction/operation-list.js",
    find: "if (range < count && isIn(",
    replace: "if (range < 0 && isIn(",
  },
  {
    name: "an update gets what is applied, not what is queued",
    file: "engine/dist/modify.js",
    find: "const ahead = wal.pendingChange(key);",
    replace: "const ahead = undefined;",
  },
].map((mutant) => ({ first: "simulation", rule: "transact", ...mutant }));
