/** Bugs of the space that is made ahead of the log (W8). @type {import("./mutants.mjs").Mutant[]} */
export const SPACE_MUTANTS = [
  {
    name: "a closed segment keeps its space",
    rule: "W1",
    file: "wal/dist/segment-store.js",
    find: `await this.#cutSpace(old);
            await this.#watch`,
    replace: "await this.#watch",
  },
  {
    name: "a closed segment's space is cut behind its fsync",
    rule: "W1",
    file: "wal/dist/segment-store.js",
    find: `await this.#cutSpace(old);
            await this.#watch.fsync(old.id, finalSync(this.#fileOf(old).sync()));`,
    replace: `await this.#watch.fsync(old.id, finalSync(this.#fileOf(old).sync()));
            await this.#cutSpace(old);`,
  },
  {
    name: "space is made from where the batch begins",
    rule: "W8",
    file: "wal/dist/segment-store.js",
    find: "this.#assertLength(open, await file.append(zeros(length)));",
    replace: "await file.writeAt(open.end, zeros(length + open.fileEnd - open.end)[0]);",
  },
  {
    name: "a failed write in space is left there",
    rule: "W3",
    file: "wal/dist/segment-store.js",
    find: `await file.truncate(this.#open.end);
        this.#open.fileEnd = this.#open.end;`,
    replace: `await file.truncate(this.#open.fileEnd);`,
  },
  {
    name: "a torn record before space is taken for the end of the log",
    rule: "R3",
    file: "wal/dist/recovery-plan.js",
    find: 'return stop.kind === "bad-record" && end === stop.end.offset;',
    replace: `return stop.kind === "bad-record" && (end === stop.end.offset || stop.end.kind === "torn");`,
  },
  {
    name: "space is left behind the log when it is opened",
    rule: "R2",
    file: "wal/dist/recovery.js",
    find: "const willChange = forWriter || changes || endsInSpace(plan);",
    replace:
      "const willChange = forWriter || changes || endsInSpace(plan); if (!changes) plan.tail = plan.tail && { ...plan.tail, validLength: plan.tail.file.length };",
  },
];
