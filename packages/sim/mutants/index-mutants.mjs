/**
 * Bugs of secondary indexes.
 *
 * @type {import("./mutants.mjs").Mutant[]}
 */
export const INDEX_MUTANTS = [
  {
    name: "an entry stays that its row does not have any more",
    rule: "X1",
    file: "engine/dist/indexes/maintain.js",
    find: "deleted.set(nameOfBytes(key), key);",
    replace: "",
  },
  {
    name: "entries are a record of their own behind that of their rows",
    rule: "X1",
    file: "engine/dist/indexes/indexes.js",
    find: `const written = write(extension.payload);
            if (wal`,
    replace: `const { operations } = extension.payload;
            const own = payload.type === "batch" ? payload.operations.length : 1;
            const written = write({ type: "batch", operations: operations.slice(0, own) });
            write({ type: "batch", operations: operations.slice(own) }).catch(() => undefined);
            if (wal`,
  },
  {
    name: "a unique key is looked up without the writes under way",
    rule: "X2",
    file: "engine/dist/indexes/growing-head.js",
    find: "const pending = pendingEntry(key, wal, BEFORE_ALL);",
    replace: "const pending = undefined;",
  },
  {
    name: "writes do not keep an index that is being built",
    rule: "X5",
    file: "engine/dist/indexes/extension.js",
    find: "const changes = changesOf(operations, parts);",
    replace:
      'const changes = changesOf(operations, parts).filter(({ prefix }) => [...parts.definitions.of(prefix).values()].every(({ state }) => state === "ready"));',
  },
  {
    name: "rows that are cleared leave their entries",
    rule: "X3",
    file: "engine/dist/indexes/extension.js",
    find: "for (const { id } of stored.values())\n                this.#deleteEntries(id);",
    replace: ";",
  },
  {
    name: "a build that was broken off is taken for done",
    rule: "X6",
    file: "engine/dist/indexes/definition.js",
    find: "return { ...found, ...fieldsOf(key, value) };",
    replace: 'return { ...found, ...fieldsOf(key, value), state: "ready" };',
  },
];
