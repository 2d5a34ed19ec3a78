// A disk whose new files are never synced: for the one copy whose sync is to be left out.
const UNSYNCED = (disk) => `{
            open: async (path, options) => {
                const file = await ${disk}.open(path, options);
                file.sync = async () => undefined;
                return file;
            },
            remove: (path) => ${disk}.remove(path),
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
    find: "done.push(...(await takeOut(disk, plan, quarantine)));",
    replace: `const late = plan.quarantineCut ? await cutFirst(disk, plan.tail) : disk;
        done.push(...(await takeOut(late, plan, await Quarantine.open(late))));`,
    append: `
// Cuts, and gives a disk on which the old bytes are still to be read: they are in memory only.
async function cutFirst(disk, { file: { path, length }, file, validLength }) {
    const source = await disk.open(path, { readOnly: true });
    const bytes = new Uint8Array(length);
    await source.readAt(0, bytes);
    await makeTailDurable(disk, file, validLength, { trustPageCache: false, willChange: true });
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
    find: "const isReplaced = !trustPageCache ||",
    replace: "const isReplaced = tail.length < 0 ||",
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
    find: "if (record.lsn <= after.lsn)\n",
    replace: "if (record.lsn < after.lsn)\n",
  },
  {
    name: "what was dropped behind a checkpoint counts as damage",
    rule: "R6",
    file: "wal/dist/log-scan.js",
    find: "const coveredGap = record.lsn > expected && record.lsn <= after.lsn + 1;",
    replace: "const coveredGap = false;",
  },
  {
    name: "damage in a closed segment is cut as if it were the tail",
    rule: "table",
    instrument: "explorer",
    file: "wal/dist/recovery-decision.js",
    find: `"not-the-tail": { tail: "refuse",`,
    replace: `"not-the-tail": { tail: "stop",`,
  },
  {
    name: "a torn tail is cut in mode absolute, too",
    first: "a torn tail is refused in mode absolute",
    rule: "table",
    instrument: "explorer",
    file: "wal/dist/recovery-decision.js",
    find: `"torn-tail": { tail: "cut", prefix: "cut", absolute: "refuse" }`,
    replace: `"torn-tail": { tail: "cut", prefix: "cut", absolute: "cut" }`,
  },
  {
    name: "a tail of zeros is refused in mode absolute",
    first: "a torn tail is refused in mode absolute",
    rule: "table",
    instrument: "explorer",
    file: "wal/dist/recovery-decision.js",
    find: `"zero-tail": { tail: "cut", prefix: "cut", absolute: "cut" }`,
    replace: `"zero-tail": { tail: "cut", prefix: "cut", absolute: "refuse" }`,
  },
  {
    name: "leftovers are removed before it is decided whether to refuse",
    rule: "table",
    instrument: "explorer",
    file: "wal/dist/recovery.js",
    find: "const plan = await planRecovery(",
    replace: `for (const path of directory.leftovers) await disk.remove(path);
    const plan = await planRecovery(`,
  },
  {
    name: "a failed read gives zeros",
    rule: "table",
    instrument: "explorer",
    file: "wal/dist/file-window.js",
    find: "const bytesRead = await file.readAt(offset, buffer.subarray(room));",
    replace: "const bytesRead = await file.readAt(offset, buffer.subarray(room)).catch(() => length);",
  },
  {
    name: "the header's checksum is not compared",
    rule: "format",
    instrument: "explorer",
    file: "wal/dist/record-codec.js",
    find: `if (crc !== stored)
        return { kind: "BadHeaderChecksum"`,
    replace: `if (crc !== stored && input.length === 0)
        return { kind: "BadHeaderChecksum"`,
  },
  {
    name: "an unknown version is believed where the header's checksum does not hold",
    rule: "format",
    instrument: "explorer",
    file: "wal/dist/scanner.js",
    find: "const headerHolds = headerChecksumHolds(bytes, view, at);",
    replace: "const headerHolds = true;",
  },
  {
    name: "a copy in quarantine takes the name of another one",
    rule: "table",
    instrument: "explorer",
    file: "wal/dist/quarantine.js",
    find: "return this.#freeName(base);",
    replace: "this.#taken.delete(base); return base;",
  },
  {
    name: "whatever has the name of a copy in quarantine counts as the copy",
    rule: "table",
    instrument: "explorer",
    file: "wal/dist/quarantine.js",
    find: "if (await this.#holds(path, source, from, to))",
    replace: "",
  },
  {
    name: "recovery does not sync closed segments",
    rule: "R2",
    instrument: "explorer",
    file: "wal/dist/recovery.js",
    find: "await syncClosed(disk, segments.slice(0, -1));",
    replace: "await undefined;",
  },
  {
    name: "a tail that is trusted is cut, and not synced",
    first: "a damaged tail with a record behind it, opened after a restart",
    rule: "R2",
    instrument: "explorer",
    file: "wal/dist/durable-tail.js",
    find: `await file.truncate(validLength);
    await file.sync();`,
    replace: `return file.truncate(validLength);
    await file.sync();`,
  },
  {
    name: "an empty log begins anew, whatever the checkpoint covers",
    rule: "R6",
    instrument: "explorer",
    file: "wal/dist/recovery.js",
    find: "lsn: Math.max(scan.last.lsn, after.lsn),",
    replace: "lsn: scan.last.lsn,",
  },
];
