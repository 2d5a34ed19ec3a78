import assert from "node:assert/strict";
import { getEventListeners, setMaxListeners } from "node:events";
import { MAX_EPOCH_STARTS } from "../../shared-log.js";
import { appendAll, entryAfter, type LogCheck, ORIGIN, rejects } from "./log-under-test.js";

export const CLAIMING: readonly LogCheck[] = [
  {
    name: "an unclaimed log has no head, no base and no members",
    run: async (test) => {
      const log = test.client();
      assert.equal(await log.head(), undefined);
      assert.equal(await log.base(), undefined);
      assert.deepEqual(await log.members(), { nodes: [], wanted: undefined });
      await rejects("KAYA_NOT_FOUND", log.read(0));
    },
  },
  {
    name: "the first claim begins the log at its origin, and each later claim begins the next epoch at the same record",
    run: async (test) => {
      const log = test.client();
      const origin = { logId: "other", lsn: 700, sequence: 900 };
      const first = await log.claim(undefined, { writer: "a", origin });
      const { version, ...rest } = first;
      const starts = [{ epoch: 1, lsn: 700, writer: "a" }];
      const begun = { epoch: 1, ...origin, writer: "a", address: undefined, bytes: 0, starts };
      assert.deepEqual(rest, begun);
      assert.deepEqual(await test.client("b").head(), first);
      const head = await log.append(first, entryAfter(first, 3));
      const second = await log.claim(head, { writer: "b", address: "b:1", origin: ORIGIN });
      assert.deepEqual(
        [
          second.epoch,
          second.lsn,
          second.sequence,
          second.logId,
          second.writer,
          second.address,
          second.bytes,
        ],
        [2, 703, 906, "other", "b", "b:1", head.bytes],
      );
      assert.deepEqual(second.starts, [...starts, { epoch: 2, lsn: 703, writer: "b" }]);
      assert.notEqual(second.version, version);
    },
  },
  {
    name: "a claim of a head that is not the newest is fenced, and the error has the writer's address",
    run: async (test) => {
      const { log, head } = await test.writer("a");
      await rejects("KAYA_FENCED", test.client("b").claim(undefined, { writer: "b", origin: ORIGIN }));
      const next = await log.append(head, entryAfter(head));
      const error = await rejects(
        "KAYA_FENCED",
        test.client("c").claim(head, { writer: "c", origin: ORIGIN }),
      );
      assert.equal(error.leader, "a:1");
      assert.deepEqual(await log.head(), next);
    },
  },
  {
    name: "of claims of the same head exactly one succeeds",
    run: async (test) => {
      const { head } = await test.writer("a");
      const claims = ["b", "c", "d"].map((writer) =>
        test.client(writer).claim(head, { writer, origin: ORIGIN }),
      );
      const outcomes = await Promise.allSettled(claims);
      const won = outcomes.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
      assert.equal(won.length, 1);
      assert.deepEqual(await test.client().head(), won[0]);
    },
  },
  {
    name: "of first claims of a log exactly one succeeds",
    run: async (test) => {
      const names = ["a", "b", "c"];
      const claims = names.map((writer) => test.client(writer).claim(undefined, { writer, origin: ORIGIN }));
      const outcomes = await Promise.allSettled(claims);
      assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
      assert.equal((await test.client().head())?.epoch, 1);
    },
  },
  {
    name: "a head remembers where the first epoch and the last epochs began, up to a limit",
    run: async (test) => {
      let { log, head } = await test.writer("a");
      for (let count = 0; count < MAX_EPOCH_STARTS + 2; count++)
        head = await log.claim(head, { writer: "a", origin: ORIGIN });
      assert.equal(head.starts.length, MAX_EPOCH_STARTS);
      assert.equal(head.starts.at(-1)?.epoch, head.epoch);
      assert.equal(head.starts[1]?.epoch, head.epoch - MAX_EPOCH_STARTS + 2);
      assert.equal(head.starts[0]?.epoch, 1);
      assert.deepEqual(await log.head(), head);
      await appendAll(log, head, [1]);
    },
  },
  {
    name: "an aborted call rejects with the signal's reason",
    run: async (test) => {
      const { log } = await test.writer("a");
      const reason = new Error("given up");
      await assert.rejects(log.head({ signal: AbortSignal.abort(reason) }), reason);
      await assert.rejects(log.members({ signal: AbortSignal.abort(reason) }), reason);
    },
  },
  {
    name: "many calls at once emit no warning, and leave no listener on their signal",
    run: async (test) => {
      const { log } = await test.writer("a");
      const warnings: Error[] = [];
      const warned = (warning: Error) => warnings.push(warning);
      process.on("warning", warned);
      const { signal } = new AbortController();
      setMaxListeners(0, signal);
      const calls = () => [log.head(), log.members(), log.base({ signal }), log.read(0, { signal })];
      await Promise.all(Array.from({ length: 30 }, calls).flat());
      for await (const page of log.follow(0, { signal })) if (page.head.epoch === 1) break;
      // Node.js emits a warning in a later turn of the event loop.
      await new Promise(setImmediate);
      process.off("warning", warned);
      const leaks = warnings.filter(({ name }) => name === "MaxListenersExceededWarning");
      assert.deepEqual(leaks, []);
      await test.until("no listener is left", () => getEventListeners(signal, "abort").length === 0);
    },
  },
  {
    name: "calls after close, and a running follow, reject with KAYA_CLOSED",
    run: async (test) => {
      const { log, head } = await test.writer("a");
      const signal = new AbortController().signal;
      const following = (async () => {
        for await (const { head } of log.follow(0, { signal })) if (head.epoch === 1) await log.close();
      })();
      await rejects("KAYA_CLOSED", following);
      await rejects("KAYA_CLOSED", log.head());
      await rejects("KAYA_CLOSED", log.append(head, entryAfter(head)));
      await log.close();
    },
  },
];
