/** Bugs of backups and of recovering to an LSN. @type {import("./mutants.mjs").Mutant[]} */
export const COPY_MUTANTS = [
  {
    name: "a backup goes by the LSN of when it is written, not of when it was asked for",
    first: "a backup",
    rule: "backup",
    file: "engine/dist/backup/backup.js",
    find: "const covered = engine.applied.position;",
    replace: `const covered = {
        get lsn() {
            return engine.applied.position.lsn;
        },
        get sequence() {
            return engine.applied.position.sequence;
        },
    };`,
  },
  {
    name: "an LSN is recovered from the tables, whatever they cover",
    first: "simulation",
    rule: "recoverTo",
    file: "engine/dist/recover-to.js",
    find: "covered.lsn > 0 && covered.lsn <= lsn ? covered : undefined",
    replace: "covered.lsn > 0 ? covered : undefined",
  },
  {
    name: "what the tables cover is refused as if it had never been",
    first: "simulation",
    rule: "recoverTo",
    file: "engine/dist/recover-to.js",
    find: "if (covered > lsn) {",
    replace: "if (false) {",
  },
  {
    name: "the log is read over a flush that is made meanwhile",
    first: "simulation",
    rule: "recoverTo",
    file: "engine/dist/recover-to.js",
    find: "await lookSteadily(source, rebuild)",
    replace: "await rebuild()",
  },
  {
    name: "an LSN behind the log's end is recovered as its end",
    first: "simulation",
    rule: "recoverTo",
    file: "engine/dist/recover-to.js",
    find: "if (lastLsn !== lsn)",
    replace: "if (lastLsn !== lsn && (lastLsn > lsn || lastLsn === 0 || gap !== undefined || covered > lsn))",
  },
];
