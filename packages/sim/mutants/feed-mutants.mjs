/** Bugs of the change feed. @type {import("./mutants.mjs").Mutant[]} */
export const FEED_MUTANTS = [
  {
    name: "changes are delivered before they are synced",
    first: "a feed",
    rule: "F1",
    file: "wal/dist/group-commit.js",
    find: `this.#writtenLsn = batch.lastLsn;
        // Relaxed`,
    replace: `this.#writtenLsn = batch.lastLsn;
        this.#durableLsn = this.#writtenLsn;
        this.#segments.markDurable(this.#writtenLsn);
        this.watchers.wake();
        // Relaxed`,
  },
  {
    name: "a change at a segment's end is skipped",
    first: "a feed",
    rule: "F3",
    file: "wal/dist/log-follower.js",
    find: "segments.holding(this.#lastLsn + 1)",
    replace: "segments.holding(this.#lastLsn + 2)",
  },
  {
    name: "the log keeps its id where it is cut",
    first: "a feed: a cut",
    rule: "F6",
    file: "wal/dist/recovery.js",
    find: "done.push(...(await identity.cutBehind(last.lsn)));",
    replace: "",
  },
  {
    name: "the log gets its new id after it was cut",
    first: "a feed: a cut",
    rule: "F6",
    file: "wal/dist/recovery.js",
    find: `if (changes)
            done.push(...(await identity.cutBehind(last.lsn)));
        done.push(...(await takeOut(disk, plan, quarantine)));`,
    replace: `done.push(...(await takeOut(disk, plan, quarantine)));
        if (changes && plan.tail !== undefined) {
            const early = await disk.open(plan.tail.file.path);
            await early.truncate(plan.tail.validLength);
            await early.sync();
            await early.close();
        }
        if (changes)
            done.push(...(await identity.cutBehind(last.lsn)));`,
  },
  {
    name: "a cut remembers one record too many of the log before it",
    first: "a feed: a cut",
    rule: "F6",
    file: "wal/dist/recovery.js",
    find: "identity.cutBehind(last.lsn)",
    replace: "identity.cutBehind(last.lsn + 1)",
  },
  {
    name: "a flush drops what consumers need",
    first: "a feed:",
    rule: "F9",
    file: "engine/dist/store/flusher.js",
    find: "this.#wal.dropSegmentsBefore(this.#tree.covered.lsn + 1, this.#kept())",
    replace: "this.#wal.dropSegmentsBefore(this.#tree.covered.lsn + 1)",
  },
  {
    name: "opening drops what consumers need",
    first: "a feed:",
    rule: "F9",
    file: "engine/dist/recover-state.js",
    find: "await wal.dropSegmentsBefore(tree.covered.lsn + 1, consumers.kept);",
    replace: "await wal.dropSegmentsBefore(tree.covered.lsn + 1);",
  },
  {
    name: "an acknowledgement resolves before it is durable",
    first: "a feed",
    rule: "F8",
    file: "wal/dist/sealed-file.js",
    find: `    await makeNameDurable(disk, path);
}`,
    replace: "}",
  },
  {
    name: "an acknowledgement goes back",
    first: "simulation",
    rule: "F8",
    file: "engine/dist/changes/consumers.js",
    find: "(!isOf(history, of) || of.lsn < position.lsn)",
    replace: "(!isOf(history, of) || of.lsn !== position.lsn)",
  },
  {
    name: "what is kept for consumers has no bound",
    first: "simulation",
    rule: "F9",
    file: "wal/dist/closed-segments.js",
    find: "segment.lastLsn >= kept.from && bytes <= kept.maxBytes",
    replace: "segment.lastLsn >= kept.from",
  },
  {
    name: "the log is kept for the fastest consumer",
    first: "simulation",
    rule: "F9",
    file: "engine/dist/changes/consumers.js",
    find: "Math.min(...needed",
    replace: "Math.max(...needed",
  },
  {
    name: "a consumer begins behind the change that it has not acknowledged",
    first: "simulation",
    rule: "F4",
    file: "engine/dist/changes/change-feeds.js",
    find: "const after = position === undefined ? 0 : toLsn(wal.history, position);",
    replace: `const place = position === undefined ? 0 : toLsn(wal.history, position);
        const after = consumer === undefined ? place : Math.min(place + 1, wal.durableLsn);`,
  },
];
