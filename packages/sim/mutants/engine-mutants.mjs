/** Bugs of what readers see and of the engine. @type {import("./mutants.mjs").Mutant[]} */
export const ENGINE_MUTANTS = [
  {
    name: "a write settles before it is applied",
    rule: "order",
    file: "wal/dist/batch.js",
    find: "const later = onCommit?.(this.#records.recordAt(this.#applied));",
    replace: `const later = void setImmediate(async (record) => {
                try {
                    await onCommit?.(record);
                }
                catch { }
            }, this.#records.recordAt(this.#applied));`,
  },
  {
    name: "readers see strict writes that are not durable",
    first: "simulation",
    rule: "order",
    file: "wal/dist/batch.js",
    find: "const until = durable ? this.#records.count : this.#relaxed;",
    replace: "const until = this.#records.count;",
  },
  {
    name: "the writes of a batch are applied newest first",
    rule: "order",
    file: "wal/dist/batch.js",
    find: "const later = onCommit?.(this.#records.recordAt(this.#applied));",
    replace: `this.applyFrom ??= this.#applied;
            const later = onCommit?.(this.#records.recordAt(until - 1 - (this.#applied - this.applyFrom)));
            if (this.#applied === until - 1)
                this.applyFrom = undefined;`,
  },
  {
    name: "a batch is written as separate records",
    rule: "atomic",
    file: "engine/dist/writes.js",
    find: "return this.#write(options, () => this.#batchOf(operations), BATCH_OPTIONS);",
    replace: `const writes = this.#input.operations(operations).map((one) => this.#write(options, () => one));
        return Promise.all(writes).then((results) => ({ ...results.at(-1), sequence: results[0].sequence }));`,
  },
  {
    name: "a batch is applied without its last operation",
    rule: "atomic",
    file: "engine/dist/apply.js",
    find: "at = operations.visit(at, operations.length, apply);",
    replace: `{
                    operations.visit(at, operations.length - 1 || 1, apply);
                    break;
                }`,
  },
  {
    name: "the lock's note says clean after a failure, too",
    rule: "R5",
    file: "wal/dist/writer.js",
    find: `        if (!this.isClean)
            return undefined;
        const { openId`,
    replace: "        const { openId",
  },
  {
    name: "the engine does not look at the lock's note",
    rule: "R5",
    file: "engine/dist/data-directory.js",
    find: "if (lock?.cleanStart !== true)",
    replace: "if (lock === undefined)",
  },
  {
    name: "conditions look at what is applied, not at what is queued ahead",
    first: "simulation",
    rule: "conditions",
    file: "engine/dist/conditions.js",
    find: "const ahead = wal.pendingChange(key);",
    replace: "const ahead = undefined;",
  },
  {
    name: "a key that is deleted by a write under way is not absent yet",
    first: "simulation",
    rule: "conditions",
    file: "engine/dist/conditions.js",
    find: "const newer = ahead === undefined ? store.stateInMemory(key) : stateAfter(ahead);",
    replace: 'const newer = ahead?.type === "put" ? stateAfter(ahead) : store.stateInMemory(key);',
  },
  {
    name: "a conflict is told before the write that it lost to",
    first: "simulation",
    rule: "conditions",
    file: "engine/dist/conflict-queue.js",
    find: "await told;",
    replace: "told.catch(() => undefined);",
  },
  {
    name: "what joins a batch after it was looked at is not seen by conditions",
    first: "simulation",
    rule: "conditions",
    file: "wal/dist/batch.js",
    find: "this.#keyChanges ??= new KeyChanges();",
    replace:
      "if (this.#keyChanges !== undefined) return this.#keyChanges.of(key); this.#keyChanges = new KeyChanges();",
  },
  {
    name: "conditions find the first of the batches on their way, not the last",
    first: "simulation",
    rule: "conditions",
    file: "wal/dist/batch-queue.js",
    find: "for (let i = this.#batches.length - 1; i >= 0; i--) {",
    replace: "for (let i = 0; i < this.#batches.length; i++) {",
  },
  {
    name: "only the first condition counts",
    first: "simulation",
    rule: "conditions",
    file: "engine/dist/conditions.js",
    find: "of conditions.entries()) {",
    replace: "of conditions.slice(0, 1).entries()) {",
  },
];
