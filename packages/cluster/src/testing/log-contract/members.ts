import assert from "node:assert/strict";
import { type LogCheck, node, ORIGIN, rejects, rejectsWith } from "./log-under-test.js";

const TTL_MS = 2000;

export const MEMBERS: readonly LogCheck[] = [
  {
    name: "each client sees a presence, in the order of ids, until it ends",
    run: async (test) => {
      const log = test.client();
      const other = test.client("b");
      const second = await log.announce(node("b", 5), TTL_MS);
      const silent = { ...node("a"), address: undefined, role: "writer", isFollowerOnly: true } as const;
      await other.announce(silent, TTL_MS);
      assert.deepEqual((await other.members()).nodes, [silent, node("b", 5)]);
      await second.renew(node("b", 9));
      assert.deepEqual((await log.members()).nodes[1], node("b", 9));
      await second.end();
      assert.deepEqual((await other.members()).nodes, [silent]);
      await second.end();
    },
  },
  {
    name: "a presence that is renewed stays; one that is not renewed expires, and cannot be renewed afterwards",
    run: async (test) => {
      const log = test.client();
      const kept = await log.announce(node("kept"), TTL_MS);
      const lost = await log.announce(node("lost"), TTL_MS);
      const names = async () => (await log.members()).nodes.map(({ id }) => id);
      await test.until("the presence expires", async () => {
        await kept.renew(node("kept"));
        return !(await names()).includes("lost");
      });
      assert.deepEqual(await names(), ["kept"]);
      await rejects("KAYA_NOT_FOUND", lost.renew(node("lost", 1)));
      await log.announce(node("lost", 1), TTL_MS);
      assert.deepEqual(await names(), ["kept", "lost"]);
    },
  },
  {
    name: "after a node announced itself again, its earlier presence neither changes nor ends the new one",
    run: async (test) => {
      const log = test.client();
      const earlier = await log.announce(node("a", 1), TTL_MS);
      const later = await log.announce(node("a", 2), TTL_MS);
      await rejects("KAYA_NOT_FOUND", earlier.renew(node("a", 3)));
      await earlier.end();
      assert.deepEqual((await log.members()).nodes, [node("a", 2)]);
      await later.renew(node("a", 4));
      assert.deepEqual((await log.members()).nodes, [node("a", 4)]);
    },
  },
  {
    name: "a renewal and an end of a presence reject with the reason of their signal when it aborts",
    run: async (test) => {
      const log = test.client();
      const presence = await log.announce(node("a", 1), TTL_MS);
      const reason = new Error("given up");
      const given = AbortSignal.abort(reason);
      await rejectsWith(reason, presence.renew(node("a", 2), { signal: given }));
      await rejectsWith(reason, presence.end({ signal: given }));
      assert.deepEqual((await log.members()).nodes, [node("a", 1)]);
      const stop = new AbortController();
      const calls = [
        presence.renew(node("a", 3), { signal: stop.signal }),
        presence.end({ signal: stop.signal }),
      ];
      stop.abort(reason);
      for (const call of calls) await rejectsWith(reason, call);
      // Either may have been done.
      await log.announce(node("a", 4), TTL_MS);
      assert.deepEqual((await log.members()).nodes, [node("a", 4)]);
    },
  },
  {
    name: "a request for another writer stays until that node claims the log, or until it is withdrawn",
    run: async (test) => {
      const { log, head } = await test.writer("a");
      const wanted = async () => (await test.client("c").members()).wanted;
      await log.want("b");
      assert.equal(await wanted(), "b");
      const third = await log.claim(head, { writer: "c", origin: ORIGIN });
      assert.equal(await wanted(), "b");
      await log.claim(third, { writer: "b", origin: ORIGIN });
      assert.equal(await wanted(), undefined);
      await log.want("c");
      await log.want("a");
      assert.equal(await wanted(), "a");
      await log.want(undefined);
      await log.want(undefined);
      assert.equal(await wanted(), undefined);
    },
  },
  {
    name: "changes of the members are reported until the signal aborts",
    run: async (test) => {
      const log = test.client();
      const other = test.client("b");
      const stop = new AbortController();
      let calls = 0;
      log.watchMembers(
        () => {
          calls++;
        },
        { signal: stop.signal },
      );
      const changes = [
        () => other.announce(node("b"), TTL_MS),
        () => other.want("b"),
        () => other.want(undefined),
        async () => await (await other.announce(node("c"), TTL_MS)).end(),
      ];
      for (const change of changes) {
        const before = calls;
        await change();
        await test.until("the change is reported", () => calls > before);
      }
      const before = calls;
      await test.until("an expired presence is reported", () => calls > before);
      stop.abort();
    },
  },
];
