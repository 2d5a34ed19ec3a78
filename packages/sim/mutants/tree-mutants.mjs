/** Bugs of @kaya/lsm's manifest, versions and compaction: M1 to M12 of MANIFEST.md. @type {import("./mutants.mjs").Mutant[]} */
export const TREE_MUTANTS = [
  {
    name: "a table is published before its name is durable",
    first: "lsm: two flushes",
    rule: "M1",
    file: "lsm/dist/version/version-set.js",
    find: `if (made.length > 0)
                await this.#makeNamesDurable();`,
    replace: "",
  },
  {
    name: "the root directory is not synced after sst/ was made",
    first: "lsm: two flushes",
    rule: "M1",
    file: "lsm/dist/version/version-set.js",
    find: `await this.#disk.syncDir("");`,
    replace: "",
  },
  {
    name: "an edit is believed before it is synced",
    first: "lsm: two flushes",
    rule: "M2",
    file: "lsm/dist/manifest/manifest.js",
    find: "await open.file.sync();",
    replace: "",
  },
  {
    name: "what is covered gets into the manifest before its table",
    first: "lsm: two flushes",
    rule: "M2",
    file: "lsm/dist/tree/flusher.js",
    find: "const made = table === undefined ? [] : [table];",
    replace: `const made = table === undefined ? [] : [table];
        await this.#versions.publish({ covered });`,
  },
  {
    name: "the inputs of a merge are removed before its edit is durable",
    rule: "M2",
    file: "lsm/dist/tree/compaction-run.js",
    find: "const outputs = await this.#write(plan, options);",
    replace: `const outputs = await this.#write(plan, options);
            await this.#versions.removeFiles(pick.inputs.flatMap(({ tables }) => tables.map(({ meta }) => meta.id)));`,
  },
  {
    name: "a torn edit is believed",
    first: "lsm: two flushes",
    rule: "M3",
    file: "lsm/dist/manifest/record.js",
    find: "if (storedBody !== actualBody)",
    replace: "if (false)",
  },
  {
    name: "a damaged edit with others behind it is skipped",
    first: "lsm: damage",
    rule: "M3",
    file: "lsm/dist/manifest/replay.js",
    find: `if (kind === "UnsupportedVersion")`,
    replace: `if (offset > 0)
        return "torn";
    if (kind === "UnsupportedVersion")`,
  },
  {
    name: "the manifest goes on in a file that failed",
    first: "lsm: a failed fsync",
    rule: "M4",
    file: "lsm/dist/manifest/manifest.js",
    find: `this.#open = undefined; // even if a later step fails
        try {
            await this.#write(open, state, edit);
        }
        catch (error) {
            await open.file.close().catch(() => undefined); // it is not used any more
            throw error;`,
    replace: `try {
            await this.#write(open, state, edit);
        }
        catch (error) {
            open.end = await open.file.length();
            throw error;`,
  },
  {
    name: "what a failed edit names is removed at once",
    first: "lsm: an I/O error of what was done",
    rule: "M4",
    file: "lsm/dist/version/version-set.js",
    find: "this.#uncertain.push(...made.map(({ id }) => id));",
    replace: "await this.removeFiles(made.map(({ id }) => id));",
  },
  {
    name: "what is read at an opening is trusted",
    first: "and another in what follows",
    rule: "M5",
    file: "lsm/dist/manifest/manifest.js",
    find: "if (options.trusted && isAsItWas",
    replace: "if (isAsItWas",
  },
  {
    name: "orphans are removed before the manifest is durable",
    first: "in the opening behind it",
    rule: "M5",
    file: "lsm/dist/tree/found-tree.js",
    find: "const manifest = await Manifest.resume(",
    replace: `await removeOrphans(this.#disk, directory, found.state);
            const manifest = await Manifest.resume(`,
  },
  {
    name: "an older manifest is taken",
    rule: "M6",
    file: "lsm/dist/manifest/manifest-files.js",
    find: "return { newest: files.at(-1), older: files.slice(0, -1), leftovers, unknown };",
    replace: "return { newest: files.at(0), older: files.slice(1), leftovers, unknown };",
  },
  {
    name: "a manifest gets its name before it is synced",
    first: "lsm: two flushes",
    rule: "M6",
    file: "lsm/dist/manifest/manifest.js",
    find: `await file.append(bytes);
            await file.sync();`,
    replace: "await file.append(bytes);",
  },
  {
    name: "the name of a new manifest is not made durable",
    first: "lsm: two flushes",
    rule: "M6",
    file: "lsm/dist/manifest/manifest.js",
    find: "await this.#disk.syncDir(MANIFEST_DIR);",
    replace: "",
  },
  {
    name: "a missing manifest means a new tree",
    first: "lsm: damage",
    rule: "M6",
    file: "lsm/dist/tree/read-tree.js",
    find: "if (number === 0 && first !== undefined)",
    replace: "if (false)",
  },
  {
    name: "a table that is named and missing is left out",
    first: "lsm: damage",
    rule: "M7",
    file: "lsm/dist/tree/read-tree.js",
    find: "await checkThere(disk, found, missing, directory);",
    replace: `const isThere = ({ id }) => directory.tables.has(id);
                found = { ...found, state: { ...found.state, levels: found.state.levels.map((tables) => tables.filter(isThere)) } };
                missing.splice(0, missing.length, ...missing.filter(isThere));`,
  },
  {
    name: "a table's footer is not compared with the manifest",
    first: "table: damaged blocks",
    rule: "M7",
    file: "lsm/dist/table/table.js",
    find: "if (expected !== undefined && expected.footerCrc !== crc)",
    replace: "if (false)",
  },
  {
    name: "a snapshot's tables are removed",
    first: "lsm: snapshots",
    rule: "M8",
    file: "lsm/dist/version/version.js",
    find: "if (this.#references > 0)",
    replace: "if (this.#references > 1)",
  },
  {
    name: "an orphan is taken for alive",
    rule: "M1",
    file: "lsm/dist/tree/read-tree.js",
    find: "const missing = metas.filter(",
    replace: `const known = new Set(metas.map(({ id }) => id));
                const newest = [...directory.tables.values()].filter(({ id }) => !known.has(id)).at(-1);
                const isOdd = newest !== undefined && known.size > 0;
                const probe = isOdd ? await Table.open(disk, newest.path, { cache }).catch(() => undefined) : undefined;
                const properties = await probe?.properties();
                await probe?.close();
                if (properties?.largestKey !== undefined) {
                    const footer = disk.readFile(newest.path).slice(-88);
                    const table = { ...metas[0], ...properties, id: newest.id, fileBytes: newest.bytes,
                        footerCrc: new DataView(footer.buffer).getUint32(76, true),
                        start: properties.smallestKey, end: new Uint8Array([...properties.largestKey, 0]) };
                    found = { ...found, state: { ...found.state, nextTableId: Math.max(found.state.nextTableId, newest.id + 1),
                        levels: found.state.levels.map((tables, level) => (level === 0 ? [table, ...tables] : tables)) } };
                    metas.push(table);
                }
                const missing = metas.filter(`,
    append: `
import { Table } from "../table/table.js";
`,
  },
  {
    name: "orphans stay",
    rule: "M8",
    file: "lsm/dist/tree/orphans.js",
    find: "filter(({ id }) => !alive.has(id))",
    replace: "filter(() => false)",
  },
  {
    name: "a tombstone is forgotten while something older is below",
    rule: "M9",
    file: "lsm/dist/compaction/merge-tables.js",
    find: "if (!isGone || older.mayHave(key)) {",
    replace: "if (!isGone) {",
  },
  {
    name: "a range tombstone is forgotten while something older is below",
    rule: "M9",
    file: "lsm/dist/compaction/merge-tables.js",
    find: "clipToOlder(pieces, job.older)",
    replace: "[]",
  },
  {
    name: "a table of tombstones goes while something older is below",
    rule: "M9",
    file: "lsm/dist/compaction/drops.js",
    find: "if (isEmpty && !isInUse)",
    replace: "if (isEmpty)",
  },
  {
    name: "a table goes of which a range tombstone hides a part",
    rule: "M9",
    file: "lsm/dist/merge/skyline.js",
    find: "if (compareEnds(piece.end, end) >= 0)",
    replace: "if (piece !== undefined)",
  },
  {
    name: "tables of level 0 are read oldest first",
    rule: "M10",
    file: "lsm/dist/manifest/manifest-state.js",
    find: "return list.sort((a, b) => b.id - a.id);",
    replace: "return list.sort((a, b) => a.id - b.id);",
  },
  {
    name: "of two entries of a key a merge takes the older",
    rule: "M10",
    file: "lsm/dist/merge/merging-cursor.js",
    find: "if (order > 0 || first.age > second.age) {",
    replace: "if (order > 0 || first.age < second.age) {",
  },
  {
    name: "a range tombstone hides a newer put from a scan",
    rule: "M10",
    file: "lsm/dist/merge/merging-cursor.js",
    find: "if (piece !== undefined && piece.sequence > sequence)",
    replace: "if (piece !== undefined)",
  },
  {
    name: "a range tombstone hides a newer put from a look-up",
    rule: "M10",
    file: "lsm/dist/version/version.js",
    find: "found.sequence < this.#coveredBy",
    replace: "this.#coveredBy > 0",
  },
  {
    name: "a look-up goes on below a range tombstone: a deleted key comes back",
    rule: "M10",
    file: "lsm/dist/version/version.js",
    find: `if (this.#coveredBy > 0)
            return undefined;`,
    replace: "this.#coveredBy = 0;",
  },
  {
    name: "a deleted key comes back from an older table",
    rule: "M10",
    file: "lsm/dist/version/version.js",
    find: "const found = table.table.getSync(key);\n            if (found !== undefined)",
    replace:
      "const found = table.table.getSync(key);\n            if (found !== undefined && found.kind !== TOMBSTONE)",
  },
  {
    name: "a table's extent leaves out its range tombstones",
    rule: "M10",
    file: "lsm/dist/compaction/output-table.js",
    find: "return this.#rangeTombstones === 0 ? entries : hull([entries, tombstones]);",
    replace: "return entries;",
  },
];
