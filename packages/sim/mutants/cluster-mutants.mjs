/** Mutants of the cluster: they break its rules C1 to C8, or stop the writer from making bases. @type {import("./mutants.mjs").Mutant[]} */
export const CLUSTER_MUTANTS = [
  {
    name: "cluster: an append compares with the newest head instead of its own",
    rule: "C2",
    file: "cluster/dist/log-appender.js",
    find: "(signal) => log.append(this.#expected, this.#entry, { signal })",
    replace:
      "async (signal) => log.append({ ...this.#expected, version: (await log.head({ signal })).version }, this.#entry, { signal })",
  },
  {
    name: "cluster: a write is acknowledged before the shared log has it",
    rule: "C3",
    file: "cluster/dist/leading.js",
    find: "await this.#appender.append(batch);",
    replace: "this.#appender.append({ ...batch, bytes: batch.bytes.slice() }).catch(() => undefined);",
  },
  {
    name: "cluster: an append without an answer is sent again without checking its outcome",
    rule: "C4",
    file: "cluster/dist/log-appender.js",
    find: "(signal) => log.append(this.#expected, this.#entry, { signal })",
    replace: `async (signal) => log.append(this.#doubt === undefined ? this.#expected
            : { ...this.#expected, version: (await log.head({ signal })).version }, this.#entry, { signal })`,
  },
  {
    name: "cluster: a write in doubt is reported as refused",
    rule: "C4",
    file: "cluster/dist/log-appender.js",
    find: `new KayaError("KAYA_IN_DOUBT", `,
    replace: `new KayaError("KAYA_NO_MAJORITY", `,
  },
  {
    name: "cluster: a write in doubt counts as done",
    rule: "C3",
    file: "cluster/dist/log-appender.js",
    find: `case "open":
                return undefined;`,
    replace: `case "open":
                if (this.#doubt !== undefined)
                    return { ...this.#expected, lsn: this.#entry.lastLsn, sequence: this.#entry.lastSequence };
                return undefined;`,
  },
  {
    name: "cluster: a definite refusal is reported although an earlier attempt is in doubt",
    rule: "C4",
    file: "cluster/dist/log-appender.js",
    find: "if (this.#doubt === undefined && !isFenced) {",
    replace: "if (isDefinite(error) && !isFenced) {",
  },
  {
    name: "cluster: another entry at the same LSN counts as the entry",
    rule: "C4",
    file: "cluster/dist/epoch-starts.js",
    find: `if (next.lsn < entry.firstLsn)
        return "never";`,
    replace: `if (head.lsn >= entry.lastLsn)
        return "appended";
    if (next.lsn < entry.firstLsn)
        return "never";`,
  },
  {
    name: "cluster: an append that finds another epoch is reported as fenced without checking its outcome",
    rule: "C4",
    file: "cluster/dist/log-appender.js",
    find: "return this.#judge(read.head, error, isFenced);",
    replace: `if (isFenced) {
            this.isLast = true;
            throw fenced(this.#expected, read.head, error);
        }
        return this.#judge(read.head, error, isFenced);`,
  },
  {
    name: "cluster: a writer continues its epoch after a write in doubt",
    rule: "C4",
    file: "cluster/dist/log-appender.js",
    find: `            throw error;
        this.isLast = true;
        throw this.#inDoubt(this.#doubt);`,
    replace: `            throw error;
        throw this.#inDoubt(this.#doubt);`,
  },
  {
    name: "cluster: a fenced writer continues with the new head",
    rule: "C2",
    file: "cluster/dist/log-appender.js",
    find: `case "never":
                this.isLast = true;`,
    replace: `case "never":
                this.#expected = { ...this.#expected, epoch: head.epoch, version: head.version, starts: head.starts };
                return undefined;`,
  },
  {
    name: "cluster: a writer accepts writes before it has all records of the previous writer",
    rule: "C6",
    file: "cluster/dist/following.js",
    find: `return (await replayTo(this.#host, claimed.lsn, signal, isMine)) ? "level" : "over";`,
    replace: `return "level";`,
  },
  {
    name: "cluster: a follower skips the first entry of a page",
    rule: "C1",
    file: "cluster/dist/follower.js",
    find: `if (entry.lastLsn <= replica.position.lsn)
            continue;`,
    replace: `if (entry.lastLsn <= replica.position.lsn || (entry === page.entries[0] && page.entries.length > 1))
            continue;`,
  },
  {
    name: "cluster: a follower applies records after a gap",
    rule: "C1",
    file: "cluster/dist/follower.js",
    find: "await replica.append(entry);",
    replace: `if (entry.firstLsn > replica.position.lsn + 1 || page.entries.indexOf(entry) % 3 !== 1)
            await replica.append(entry);`,
  },
  {
    name: "cluster: a linearizable read does not ask for the head",
    rule: "reads",
    file: "cluster/dist/linearizable.js",
    find: "return head?.lsn ?? 0;",
    replace: "return 0;",
  },
  {
    name: "cluster: a linearizable read does not wait for the records up to the head",
    rule: "reads",
    file: "cluster/dist/linearizable.js",
    find: "await this.#until(deadline, closing, (signal) => applied(found, signal));",
    replace: "",
  },
  {
    name: "cluster: the local log is written before the shared log",
    rule: "C1",
    file: "wal/dist/group-commit.js",
    find: `            await this.#handOver.commit(batch);
            this.#assertNotFailed();
        }
        await this.#segments.write(batch.bytes, batch.place.offset, batch.length, batch.needsSync);`,
    replace: `            await this.#segments.write(batch.bytes, batch.place.offset, batch.length, batch.needsSync);
            await this.#handOver.commit(batch);
            this.#assertNotFailed();
            return;
        }
        await this.#segments.write(batch.bytes, batch.place.offset, batch.length, batch.needsSync);`,
  },
  {
    name: "cluster: the log is trimmed beyond the base",
    rule: "C7",
    file: "cluster/dist/base-keeper.js",
    find: "await this.#call((signal) => log.trim(base, start.lsn, { signal }));",
    replace:
      "await this.#call((signal) => log.trim({ ...base, lsn: host.head().lsn }, host.head().lsn, { signal }));",
  },
  {
    name: "cluster: a base is named before it is stored",
    rule: "C7",
    file: "cluster/dist/shipment/make-base.js",
    find: `await store.put(name, encodeBase(base), pass);
        await readBase(store, name, pass);`,
    replace: "",
  },
  {
    name: "cluster: a base is named without the tables that it needs",
    rule: "C7",
    file: "cluster/dist/shipment/make-base.js",
    find: "await flush();",
    replace: "",
    also: [
      {
        file: "cluster/dist/base-keeper.js",
        find: "return { name, lsn, sequence, bytes: head.bytes, epoch: this.#epoch };",
        replace:
          "return { name, lsn: head.lsn, sequence: head.sequence, bytes: head.bytes, epoch: this.#epoch };",
      },
    ],
  },
  {
    name: "cluster: writes are accepted although the node no longer leads",
    rule: "C2",
    file: "cluster/dist/leading.js",
    find: "this.#drained = this.#options.replica.follow();",
    replace: "this.#drained = Promise.resolve();",
  },
  {
    name: "cluster: a base is removed although the log still names it",
    rule: "C7",
    file: "cluster/dist/base-keeper.js",
    find: "const keep = before === undefined ? [base.name] : [base.name, before.name];",
    replace: "const keep = before === undefined ? [base.name] : [before.name];",
  },
  {
    name: "cluster: a previous writer removes the tables of the next one",
    rule: "C7",
    file: "cluster/dist/shipment/collect-bases.js",
    find: "const end = folder + epochDigits(epoch + 1);",
    replace: 'const end = folder + "~";',
  },
  {
    name: "cluster: a table counts as stored although the blob store gave no answer",
    rule: "C7",
    file: "cluster/dist/shipment/table-object.js",
    find: "await store.put(object, content(), { ...(signal && { signal }) });",
    replace: "await store.put(object, content(), { ...(signal && { signal }) }).catch(() => undefined);",
    also: [
      {
        file: "cluster/dist/shipment/table-object.js",
        find: `for await (const _ of readTable(stored, store, { ...(signal && { signal }) }))
        ;`,
        replace: "",
      },
    ],
  },
  {
    name: "cluster: a node fails if the blob store gives no answer while it loads a base",
    rule: "bases",
    file: "cluster/dist/following.js",
    find: 'if (isFinal(error) || state.engine.state !== "open")',
    replace: "if (true)",
  },
  {
    name: "cluster: a writer makes no more bases after a naming without an answer",
    rule: "bases",
    file: "cluster/dist/base-keeper.js",
    find: "this.#isUnsure = !isDefinite(error);",
    replace: "this.#isUnsure = !isDefinite(error); this.#isOver ||= this.#isUnsure;",
  },
];
