// A disk whose new files are never synced: for the one copy whose sync is to be left out.
const UNSYNCED = (disk) => `{
            open: async (path, options) => {
                const file = await ${disk}.open(path, options);
                file.sync = async () => undefined;
                return file;
            },
        }`;

/** Bugs of recovery: the decision table, the quarantine, R1 to R6. @type {import("./mutants.mjs").Mutant[]} */
export const RECOVERY_MUTANTS = [
  {
    name: "a torn tail is left in place, and written behind",
    rule: "table",
    file: "wal/dist/recovery-plan.js",
    find: "const tail = tailSegment && {",
    replace: `if (tailSegment !== undefined)
        tailSegment.validLength = tailSegment.length;
    const tail = tailSegment && {`,
  },
  {
    name: "later segments are left in place in mode prefix",
    rule: "table",
    file: "wal/dist/recovery.js",
    find: "await disk.remove(segment.path);",
    replace: "await undefined;",
  },
  {
    name: "a damaged tail is cut without a copy in quarantine",
    rule: "table",
    file: "wal/dist/recovery-plan.js",
    find: "quarantineCut: cutBytes > 0 &&",
    replace: "quarantineCut: cutBytes < 0 &&",
  },
  {
    name: "a segment that cannot be read counts as empty",
    rule: "table",
    file: "wal/dist/log-scan.js",
    find: "await this.#scanHandle(handle, file, index);",
    replace: "await this.#scanHandle(handle, file, index).catch(() => undefined);",
  },
  {
    name: "a gap in the LSNs is accepted",
    rule: "table",
    file: "wal/dist/log-scan.js",
    find: "const coveredGap = record.lsn > expected && record.lsn <= after.lsn + 1;",
    replace: "const coveredGap = record.lsn > expected;",
  },
  {
    name: "the payload's checksum is not compared",
    rule: "format",
    file: "wal/dist/record-codec.js",
    find: `if (crc !== stored) {
        return invalid(`,
    replace: `if (crc !== stored && input.length === 0) {
        return invalid(`,
  },
  {
    name: "the tail is cut before its copy is in quarantine",
    rule: "R2",
    file: "wal/dist/recovery.js",
    find: "quarantined.push(...(await takeOut(disk, plan)));",
    replace: `const late = plan.quarantineCut ? await cutFirst(disk, plan.tail) : disk;
        quarantined.push(...(await takeOut(late, plan)));`,
    append: `
// Cuts, and gives a disk on which the old bytes are still to be read: they are in memory only.
async function cutFirst(disk, { file: { path, length }, file, validLength }) {
    const source = await disk.open(path, { readOnly: true });
    const bytes = new Uint8Array(length);
    await source.readAt(0, bytes);
    await makeTailDurable(disk, file, validLength, false);
    const readAt = async (at, into) => {
        into.set(bytes.subarray(at, at + into.length));
        return into.length;
    };
    const open = async (name, how) => name === path ? { readAt, close: async () => undefined } : disk.open(name, how);
    return new Proxy(disk, { get: (_, name) => name === "open" ? open : disk[name]?.bind(disk) });
}
`,
  },
  {
    name: "segments are removed before their copies' names are durable",
    rule: "R2",
    file: "wal/dist/recovery.js",
    find: "await quarantine.makeDurable();",
    replace: "await undefined;",
  },
  {
    name: "what goes to quarantine is not synced",
    rule: "R2",
    file: "wal/dist/quarantine.js",
    find: "await copyRange(this.#disk, source, from, to, temporary);",
    replace: `await copyRange(${UNSYNCED("this.#disk")}, source, from, to, temporary);`,
  },
  {
    name: "recovery ends without making the tail durable",
    rule: "R2",
    file: "wal/dist/durable-tail.js",
    find: "await copyRange(disk, source, 0, validLength, temporary);",
    replace: `await copyRange(${UNSYNCED("disk")}, source, 0, validLength, temporary);`,
  },
  {
    name: "the tail's name is not synced at the end of recovery",
    rule: "W2",
    file: "wal/dist/durable-tail.js",
    find: "await disk.syncDir(WAL_DIR);",
    replace: "",
  },
  {
    name: "the root directory is not synced at the end of recovery",
    rule: "W2",
    file: "wal/dist/durable-tail.js",
    find: `await disk.syncDir("");`,
    replace: "",
  },
  {
    name: "the tail is never written again after an unclean end",
    rule: "R5",
    file: "wal/dist/durable-tail.js",
    find: "= trustPageCache ?",
    replace: "= tail.length > 0 ?",
  },
  {
    name: "a full disk excuses the tail from being made durable",
    rule: "R5",
    file: "wal/dist/recovery.js",
    find: "return finish;",
    replace: "return undefined;",
  },
  {
    name: "on a full disk the tail is called durable",
    rule: "R5",
    file: "wal/dist/group-commit.js",
    find: "segments.isTailFinished ? last.lsn : segments.closedLsn",
    replace: "last.lsn",
  },
  {
    name: "the last record of the checkpoint is replayed once more",
    rule: "R6",
    file: "wal/dist/log-scan.js",
    find: "if (record.lsn > after.lsn) {",
    replace: "if (record.lsn >= after.lsn) {",
  },
  {
    name: "what was dropped behind a checkpoint counts as damage",
    rule: "R6",
    file: "wal/dist/log-scan.js",
    find: "const coveredGap = record.lsn > expected && record.lsn <= after.lsn + 1;",
    replace: "const coveredGap = false;",
  },
];
